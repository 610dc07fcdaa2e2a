"""One wheel, read: its name and tags, its dist-info, its members, each inflated once and verified.

An archive comes in; a `Wheel` of values goes out, which rooms above judge and fuse. `pair` is what two of them
are called when they are read together.
"""
