"""The sign of life while cargo is silent."""

from __future__ import annotations

import pytest

from fatwheel.cli.pulse import Pulse

BAR = b"\x1b[1m    Building\x1b[0m [=====>   ] 12/45: glean-core"


class Screen:
    """A pulse whose clock is set by hand."""

    def __init__(self, *, live: bool) -> None:
        self.now = 0.0
        self.shown: list[str | bytes] = []
        self.pulse = Pulse(self.shown.append, self.shown.append, live=live, clock=lambda: self.now)
        self.pulse.say("building arm64 (aarch64-apple-darwin, macOS 11.0)")

    def after(self, seconds: float) -> list[str | bytes]:
        self.now += seconds
        del self.shown[:]
        self.pulse.beat()
        return self.shown


def test_a_line_a_minute_where_nobody_watches() -> None:
    screen = Screen(live=False)
    screen.pulse.output(b"   Compiling libc v0.2\n   Compiling glean-core v68.0.0\n")
    assert screen.after(59) == []
    assert screen.after(2) == ["still building arm64, 1:01 min; the last crate begun is glean-core"]
    assert screen.after(30) == []
    screen.pulse.output(b"warning: x\n")
    assert screen.after(59) == []
    assert screen.after(1) == ["still building arm64, 2:31 min; the last crate begun is glean-core"]
    screen.pulse.say("building x86_64 (x86_64-apple-darwin)")
    assert screen.after(3700) == ["still building x86_64, 61:40 min"]


def test_the_name_of_a_crate_in_colours() -> None:
    screen = Screen(live=False)
    screen.pulse.output(b"\x1b[1m\x1b[92m   Compiling\x1b[0m serde v1.0.0\n")
    (line,) = screen.after(60)
    assert str(line).endswith("the last crate begun is serde")


@pytest.mark.parametrize("before", [b"", b"   Compiling a v1\n", b"old bar\r"])
def test_the_time_runs_behind_cargos_bar(before: bytes) -> None:
    screen = Screen(live=True)
    assert screen.after(5) == []
    screen.pulse.output(before + BAR + b"\r")
    assert screen.after(65) == [BAR + b" arm64 1:10\r"]
    assert screen.after(1) == [BAR + b" arm64 1:11\r"]
    screen.pulse.output(b"\x1b[K   Compiling b v1\n")
    assert screen.after(1) == []  # no bar to write behind


def test_only_what_takes_long_has_a_name() -> None:
    screen = Screen(live=False)
    screen.pulse.say("note: 11.0 is the oldest macOS")
    assert screen.after(60) == ["still building arm64, 1:00 min"]
    screen.pulse.say("building x86_64, to be fused into what is installed")
    assert screen.after(60) == ["still building x86_64, 1:00 min"]
    screen.pulse.say("installing arm64")
    assert screen.after(60) == ["still installing arm64, 1:00 min"]


def test_before_anything_is_built_there_is_nothing_to_say() -> None:
    now = [0.0]
    shown: list[str | bytes] = []
    pulse = Pulse(shown.append, shown.append, live=False, clock=lambda: now[0])
    pulse.say("BUILDING FOR macOS (arm64). This Python runs as arm64.")
    now[0] = 600.0
    pulse.beat()
    assert shown == ["BUILDING FOR macOS (arm64). This Python runs as arm64."]


def test_it_ends_with_the_block() -> None:
    with Pulse(print, lambda _: None, live=False) as pulse:
        pulse.say("building arm64")
    assert not pulse._thread.is_alive()
