"""What is true of a wheel: findings with codes, by subject.

A `Wheel` that was read comes in, findings go out: values, which only `cli` prints. docs/checks.md explains each.
"""
