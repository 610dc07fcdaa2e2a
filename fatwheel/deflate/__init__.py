"""Compressed streams: inflating them, and joining, cutting and making them without deflating anew.

Ranges of an archive come in, content or the data of new members goes out. `inflaters` is the seam to the
libraries that inflate; the rest is RFC 1951.
"""
