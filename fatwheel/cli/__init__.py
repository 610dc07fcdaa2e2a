"""The terminal: commands, help pages, completion, and the only place that prints and exits.

Words come in, a request goes to the room that does the work, and its values come back to be shown. Environment,
clock and terminal are read here and handed down.
"""
