"""A package index in front of another one, in which every project has universal2 wheels.

    upstream (pages, files) → listing (which two halves are one wheel) → server → pip, uv
                                            files: cache ← work (fetch both halves, fuse, check)

`page` and `listing` are pure; `upstream` speaks to the index behind, `server` to the tools in front.
"""
