"""lipo's own words, over universal files: for machines that have no lipo.

Arguments come in as lipo takes them (`args`), files and text go out as lipo gives them (`run`, `info`).
"""
