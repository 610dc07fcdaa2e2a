"""Fuzzing: targets that take any bytes, and what runs them.

A target (`target.Target`) is a plain function of bytes with seeds; it raises where fatwheel breaks a promise. `table`
lists them all. `engine` is the process in which atheris calls one of them, guided by coverage; `campaign` starts such
processes and gathers what they found, for `scripts/fuzz` and for the tests. Inputs that once failed lie in
`fixtures/fuzz/TARGET/`, and `test_replay` runs them without atheris.
"""
