"""Apple's binaries: images, universal files, static libraries, bitcode, read from byte ranges.

A parser asks for ranges in rising order (`probe`) and answers with values; `layout` says where slices lie in a
universal file. Nothing here opens a file or knows what a wheel is.
"""
