"""A loader of macOS extension modules into this machine's CPython, as a test oracle: see README.md."""
