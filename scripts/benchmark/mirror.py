"""A package index of given files on loopback, which answers as PyPI does; it runs in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from aiohttp import web

__all__ = ["mirror"]

_ROOT = Path(__file__).parents[2]
_KIND = "application/vnd.pypi.simple.v1+json"


@contextlib.contextmanager
def mirror(files: Sequence[Path]) -> Iterator[str]:
    """Yield the address of an index of `files`, for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.benchmark.mirror"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("".join(f"{path}\n" for path in files))
        process.stdin.close()
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def _metadata(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        (name,) = [n for n in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n)]
        return archive.read(name)


def _app(paths: Sequence[Path]) -> web.Application:
    files = {path.name: path for path in paths}
    metadata = {path.name: _metadata(path) for path in paths}
    projects: dict[str, list[dict[str, object]]] = defaultdict(list)
    for path in paths:
        row = {
            "filename": path.name,
            "url": f"/files/{path.name}",
            "hashes": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
            "size": path.stat().st_size,
            "upload-time": "2026-11-01T00:00:00Z",
            "core-metadata": {"sha256": hashlib.sha256(metadata[path.name]).hexdigest()},
        }
        projects[re.sub(r"[-_.]+", "-", path.name.partition("-")[0]).lower()].append(row)

    async def page(request: web.Request) -> web.Response:
        name = request.match_info["project"]
        if name not in projects:
            return web.Response(status=404)
        document = {"meta": {"api-version": "1.1"}, "name": name, "files": projects[name]}
        body = json.dumps(document | {"versions": []}).encode()
        validator = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"ETag": validator, "Cache-Control": "max-age=600, public"}
        if request.headers.get("If-None-Match") == validator:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers={**headers, "Content-Type": _KIND})

    async def file(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if (wheel := name.removesuffix(".metadata")) != name and wheel in metadata:
            return web.Response(body=metadata[wheel])
        if name not in files:
            return web.Response(status=404)
        return web.FileResponse(files[name], headers={"Content-Type": "application/octet-stream"})

    app = web.Application()
    app.router.add_get("/simple/{project}/", page)
    app.router.add_get("/files/{name}", file)
    return app


def main() -> None:
    """Serve the files that standard input names, and say where."""
    app = _app([Path(line) for line in sys.stdin.read().splitlines()])
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(f"http://127.0.0.1:{listening.getsockname()[1]}/simple/", flush=True)
    web.run_app(app, sock=listening, print=lambda *_: None)


if __name__ == "__main__":
    main()
