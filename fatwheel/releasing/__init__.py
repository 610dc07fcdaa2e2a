"""From a commit to release files that were checked.

The `steps` are gone through by `fatwheel release` (`cli.release`). What is built, fused and checked is so by programs,
fatwheel among them, each started where no module of the project can be taken for one of its own.
"""
