"""Settings for all tests."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.corpus import ROOT
from tests.support.required import unavailable

# A shell's background job ignores Ctrl-C, and so would the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# nohup ignores a hangup; programs begin with what is usual where it is caught here, even if to do nothing.
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)

# A slow machine is no failure of the code under test. In CI the examples are the same on every
# run, so that a change is judged by what it changes.
settings.register_profile(
    "full",
    deadline=None,
    derandomize=os.environ.get("CI") == "true",
    suppress_health_check=[HealthCheck.too_slow],
)
# scripts/test-versions only looks for what another Python does differently.
settings.register_profile("smoke", settings.get_profile("full"), max_examples=5)
settings.load_profile("full")


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with fatwheel's wheel and those of all that it and its build need, for pip without a network."""
    folder = tmp_path_factory.mktemp("index")
    words = ("pip", "wheel", "-q", "-c", "scripts/constraints.txt", "-w", str(folder))
    command = [sys.executable, "-m", *words, str(ROOT), "ziglang", "hatchling"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        unavailable("the packages of an isolated build", done.stderr.strip().splitlines()[-1])
    return folder
