"""What this machine has to build with: compilers, Rust's targets, the linker and an SDK.

Programs are asked through a runner that is handed in; values go out, or the list of what is missing and how to
get it. `doctor` tells it to people.
"""
