"""Rust crates become wheels: maturin once for each architecture, then one fusion.

Settings and a toolchain come in; `plan` says every command as a value, `build` runs it. Frontends (PEP 517) and
`develop` ask for the same.
"""
