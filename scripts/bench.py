#!/usr/bin/env python3
"""Measure fatwheel beside what else there is, in one run. Run it with the Python of .venv (scripts/setup makes it).

    python scripts/bench.py                          `fatwheel fuse` on real pairs; half an hour
    python scripts/bench.py --runs 3 --pairs numpy,uv
    python scripts/bench.py --against ../old/.venv   another release of fatwheel, too
    python scripts/bench.py --write docs/performance.md
    python scripts/bench.py build [PROJECT]          `fatwheel build` and maturin's own universal2 build

`--help`, before or behind `build`, tells all options; scripts/benchmark/ has the work.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

if sys.argv[1:2] == ["build"]:
    from scripts.benchmark import build

    build.main(sys.argv[2:])
else:
    from scripts.benchmark import fuse

    fuse.main(sys.argv[1:])
