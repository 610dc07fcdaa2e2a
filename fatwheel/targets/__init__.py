"""Which architecture is this Python, and what is asked to be built: pure decisions over values.

Facts that an interpreter tells of itself come in (`pythonfacts`); a decision with its reason goes out.
"""
