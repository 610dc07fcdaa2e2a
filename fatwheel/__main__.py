"""The program `fatwheel`, and `python -m fatwheel`.

It imports nothing before it can be interrupted without a traceback; before that, it is Python that starts.
"""

# `signal` itself imports for three milliseconds what could not be interrupted well; this is what is below it.
import _signal  # type: ignore[import-not-found, unused-ignore]
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> "NoReturn":
    """Run the command line and exit."""
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:  # not where it is ignored
        _signal.signal(_signal.SIGINT, _end)
    if sys.implementation.name == "cpython":
        gc.set_threshold(50_000)  # what is imported stays; CPython would look through it 50 times
    from fatwheel.cli.main import main as run

    run()


def _end(_signal: int, _frame: object) -> "NoReturn":
    """End at once: nothing has begun, and modules that are half imported are no place for an exception."""
    os.write(2, b"fatwheel: interrupted; what was not complete is gone\n")
    os._exit(130)


if __name__ == "__main__":
    main()
