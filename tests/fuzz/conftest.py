"""Tells how many inputs were tried."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the number of executions of all targets that were fuzzed."""
    reports = [
        report for key in ("passed", "failed") for report in terminalreporter.getreports(key)
    ]
    counts = [value for r in reports for name, value in r.user_properties if name == "fuzzed"]
    if counts:
        terminalreporter.write_line(f"fuzzing: {sum(counts):,} executions of {len(counts)} targets")
