"""What wheels, files, folders and apps hold, as facts without a verdict.

A path comes in, an `Inspection` goes out: a value, which is shown as text (`screen`), JSON (`document`) or HTML
(`webpage`). Everything is read by `wheels` and `macho`; nothing is parsed here.
"""
