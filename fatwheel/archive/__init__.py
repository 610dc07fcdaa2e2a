"""The zip file that a wheel is: reading its directory, and writing a new one byte for byte the same each time.

Bytes of a file come in as ranges; `directory` turns them into entries, `writer` turns members into an archive.
It knows nothing of what members hold: not of deflate streams' insides, not of Python.
"""
