"""Make a release: `scripts/release`, or `python -I releasing`; command.py says what it does."""

import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from releasing.command import interrupt, main

for stop in ("SIGTERM", "SIGHUP"):  # as an interrupt: what was started is ended, the index too
    if hasattr(signal, stop):
        signal.signal(getattr(signal, stop), interrupt)
main()
