"""From a commit to release files that were checked.

`command` reads the command line and goes through the `steps`. Nothing here knows fatwheel from inside: the folder works
in any repository, with the fatwheel that is installed.
"""
