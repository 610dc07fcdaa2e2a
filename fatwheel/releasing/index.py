"""A package index on this machine, for a release: what it takes by upload, and what pip gets from it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from fatwheel.releasing.platforms import Wanted, oldest_python
from fatwheel.releasing.programs import FailedError, module

__all__ = ["Index"]

_PYTHON = re.compile(r"([a-z]+)(\d)(\d*)")
_SECONDS = 30  # to wait for the index to answer


class Index:
    """A running pypiserver that serves and fills `folder`, reachable from this machine only. A context manager."""

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        self._server: subprocess.Popen[bytes] | None = None
        self._url = ""

    def __enter__(self) -> Index:
        """Start it, and wait until it answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/"
        command = [*module("pypiserver"), "run", "--interface", "127.0.0.1", "--port", str(port)]
        # No passwords, no files from elsewhere.
        command += ["-a", ".", "-P", ".", "--disable-fallback", str(self._folder)]
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise FailedError(f"pypiserver did not start; {self._log} says why")
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        if self._server is not None:
            self._server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(10)
            self._server.kill()
            self._server.wait()

    def _answers(self) -> bool:
        # Past any proxy, which knows nothing of this machine's ports.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"{self._url}simple/", timeout=5):
                return True
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def upload(self, files: Sequence[Path]) -> None:
        """Upload the files as to any index. Raises `FailedError`."""
        command = [*module("twine"), "upload", "--non-interactive", "--disable-progress-bar"]
        command += [
            "--config-file",
            os.devnull,
            "--repository-url",
            self._url,
            "-u",
            "x",
            "-p",
            "x",
        ]
        done = subprocess.run(
            [*command, *map(str, files)], stdout=sys.stderr, env=_environment(), check=False
        )
        if done.returncode:
            raise FailedError(
                f"twine could not upload to the index on this machine (exit code {done.returncode})"
            )

    def try_to_download(
        self, project: str, version: str, wanted: Wanted, requires: str = ""
    ) -> None:
        """Let pip look for the release as on the machine `wanted`.

        `requires` is the wheel's Requires-Python: a wheel for every Python 3, or from one on, is looked for with the
        oldest that it allows. Raises `FailedError` where it gets another file than the tags promise.
        """
        match = _PYTHON.fullmatch(wanted.python)
        if match is None:
            raise FailedError(f"{wanted.wheel}: {wanted.python!r} is no Python tag")
        options = ["--only-binary=:all:", "--no-deps", "--no-cache-dir", "--isolated", "--quiet"]
        options += ["--disable-pip-version-check", "--index-url", f"{self._url}simple/"]
        options += ["--platform", wanted.platform, "--abi", wanted.abi]
        options += ["--python-version", oldest_python(match[2], match[3], wanted.abi, requires)]
        if match[1] in {"cp", "pp"}:
            options += ["--implementation", match[1]]
        scratch = Path(tempfile.mkdtemp(dir=self._log.parent, prefix="download-"))
        try:
            done = subprocess.run(
                [*module("pip"), "download", *options, "-d", str(scratch), f"{project}=={version}"],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=_environment(),
                text=True,
                check=False,
            )
            got = sorted(path.name for path in scratch.iterdir())
        finally:
            shutil.rmtree(scratch)
        machine = f"{wanted.platform} with {wanted.python}-{wanted.abi}"
        if done.returncode and "No matching distribution found" not in done.stdout:
            raise FailedError(f"pip failed for {machine}: {done.stdout.strip()}")
        if wanted.picked and got != [wanted.wheel]:
            what = got[0] if got else "nothing"
            raise FailedError(f"pip gets {what} for {machine}, and {wanted.wheel} promises it")
        if not wanted.picked and wanted.wheel in got:
            raise FailedError(f"pip gets {wanted.wheel} for {machine}, which it does not promise")


def _environment() -> dict[str, str]:
    """Return this environment without what would lead twine or pip elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "TWINE_"))}
    return {**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PIP_CONFIG_FILE": os.devnull}
