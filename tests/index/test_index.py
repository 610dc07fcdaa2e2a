"""`fatwheel index` as a process, in front of an index on loopback, and unmodified pip and uv in front of it."""

from __future__ import annotations

import contextlib
import ensurepip
import filecmp
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.required import require_tool, unavailable
from tests.support.upstream import JSON, FakeIndex, Handler, fake_index
from tests.support.wheels import (
    NATIVE,
    PLATFORMS,
    A,
    X,
    code,
    make_pair,
    make_wheel,
    read_whole,
    slices_of,
    universal,
)

MAC = ("--only-binary", ":all:", "--python-version", "3.12", "--platform", "macosx_12_0_universal2")
FUSED = "pkg-1.0-cp312-cp312-macosx_10_13_universal2.whl"
# What points pip and uv elsewhere on a developer's machine.
CLEAN = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PIP_", "UV_"))
    and name.lower() not in {"http_proxy", "https_proxy", "all_proxy"}
}


@dataclass
class Index:
    """A running index: its address without `/simple/`, its cache, and what it prints."""

    url: str
    cache: Path
    process: subprocess.Popen[str]
    said: list[str]

    @property
    def simple(self) -> str:
        return f"{self.url}/simple/"

    def get(
        self, path: str, method: str = "GET", **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        request = urllib.request.Request(
            self.url + path,
            method=method,
            headers={n.replace("_", "-"): v for n, v in headers.items()},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def page(self, project: str) -> dict[str, Any]:
        status, _, body = self.get(f"/simple/{project}/", Accept=JSON)
        assert status == 200, body
        document: dict[str, Any] = json.loads(body)
        return document

    def files(self, project: str) -> dict[str, dict[str, Any]]:
        return {file["filename"]: file for file in self.page(project)["files"]}

    def address(self, project: str, filename: str) -> str:
        return "/" + str(self.files(project)[filename]["url"]).removeprefix("../../")

    def status(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.get("/status.json")[2])
        return document


@contextlib.contextmanager
def running(cache: Path, *options: str, cwd: Path | None = None) -> Iterator[Index]:
    command = [
        sys.executable,
        "-m",
        "fatwheel",
        "index",
        "--port",
        "0",
        "--cache",
        str(cache),
        "-j",
        "1",
    ]
    process = subprocess.Popen(
        [*command, *options], stderr=subprocess.PIPE, text=True, cwd=cwd or cache.parent, env=CLEAN
    )
    assert process.stderr is not None
    said: list[str] = []
    url = ""
    for line in process.stderr:
        said.append(line)
        if match := re.match(r"index: (http://\S+)/simple/ ", line):
            url = match[1]
        if line.startswith("what it does:"):
            break
    assert url, "".join(said)
    reader = threading.Thread(target=lambda: said.extend(process.stderr or ()), daemon=True)
    reader.start()
    try:
        yield Index(url, cache, process, said)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(120)
        finally:
            process.kill()
            reader.join(5)
            process.stderr.close()


@pytest.fixture
def behind() -> Iterator[FakeIndex]:
    with fake_index() as index:
        yield index


@pytest.fixture
def index(behind: FakeIndex, tmp_path: Path) -> Iterator[Index]:
    with running(tmp_path / "cache", "--upstream", behind.url) as started:
        yield started


def pip(version: str) -> list[str]:
    """The words that start a pip: the newest, which is installed, or the one that Python brought."""
    if version == "installed":
        return [sys.executable, "-m", "pip"]
    bundled = Path(ensurepip.__file__).parent / "_bundled"
    path = next(bundled.glob("pip-*.whl"), None)
    if path is None:
        unavailable("the pip that came with Python", "this Python has none; another Python has")
    return [sys.executable, f"{path}/pip"]


def run(words: list[str], cwd: Path, code: int = 0) -> str:
    done = subprocess.run(
        words, cwd=cwd, env=CLEAN, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def tree(behind: FakeIndex, folder: Path) -> None:
    """Three projects: one that is thin and needs a pure one and one that has a version without Intel."""
    needs = b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\nRequires-Dist: pure\nRequires-Dist: newer\n"
    behind.add("pkg", *make_pair(folder, metadata=needs))
    behind.add(
        "pure", make_wheel(folder, "any", {"pure.py": b""}, name="pure", python="py3", abi="none")
    )
    behind.add("newer", *make_pair(folder, name="newer"))
    behind.add(
        "newer", make_wheel(folder, PLATFORMS[A], {NATIVE: code(A)}, name="newer", version="2.0")
    )


@pytest.mark.parametrize("version", ["bundled", "installed"])
@pytest.mark.parametrize("metadata", [True, False])
def test_pip_gets_a_tree(
    version: str, index: Index, behind: FakeIndex, tmp_path: Path, *, metadata: bool
) -> None:
    behind.metadata = metadata
    tree(behind, tmp_path / "wheels")
    got = tmp_path / "got"
    run(
        [*pip(version), "download", "-q", "-d", str(got), "--index-url", index.simple, *MAC, "pkg"],
        tmp_path,
    )
    assert sorted(path.name for path in got.iterdir()) == [
        "newer-1.0-cp312-cp312-macosx_10_13_universal2.whl",
        FUSED,
        "pure-1.0-py3-none-any.whl",
    ]
    assert len(slices_of(read_whole(got / FUSED)[NATIVE])) == 2


@pytest.mark.parametrize("metadata", [True, False])
@pytest.mark.parametrize("html", [True, False])
def test_uv_installs_the_same_tree_for_both(
    index: Index, behind: FakeIndex, tmp_path: Path, *, html: bool, metadata: bool
) -> None:
    uv = require_tool("uv")
    behind.html, behind.metadata = html, metadata
    tree(behind, tmp_path / "wheels")
    for platform in ("aarch64", "x86_64"):
        words = ["pip", "install", "--default-index", index.simple, "--only-binary", ":all:", "pkg"]
        where = [
            "--python-platform",
            f"{platform}-apple-darwin",
            "--target",
            str(tmp_path / platform),
        ]
        version = ["--python-version", "3.12", "--no-cache", "--python", sys.executable]
        run([uv, *words, *where, *version], tmp_path)
    compared = filecmp.dircmp(tmp_path / "aarch64", tmp_path / "x86_64")
    assert "pkg" in compared.common_dirs
    assert "newer-1.0.dist-info" in compared.common_dirs
    assert not compared.left_only
    assert not compared.right_only
    module = (tmp_path / "x86_64" / NATIVE).read_bytes()
    assert module == (tmp_path / "aarch64" / NATIVE).read_bytes()
    assert len(slices_of(module)) == 2


def test_metadata_are_served_without_fetching_or_fusing(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    file = index.files("pkg")[FUSED]
    status, _, text = index.get(index.address("pkg", FUSED) + ".metadata")
    assert (status, text) == (200, b"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\n")
    assert file["core-metadata"].keys() == {"sha256"}
    assert "size" not in file
    assert file["hashes"] == {}
    assert all("Range" in h for m, path, h in behind.requests if path.startswith("/packages/"))
    status, headers, body = index.get(index.address("pkg", FUSED), "HEAD")
    assert (status, body, headers["Accept-Ranges"]) == (200, b"", "none")
    assert index.status()["files"] == []
    assert not (index.cache / "fused").exists()


def test_metadata_are_read_out_of_the_newest_versions_wheels_only(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    """Where upstream names none, they cost requests for ranges, and a resolver looks at few versions."""
    for number in range(15):
        behind.add("pkg", *make_pair(tmp_path, version=f"1.{number}"))
    files = index.files("pkg")
    told = {name.split("-")[1] for name, file in files.items() if file["core-metadata"]}
    assert len(files) == 15
    assert told == {f"1.{number}" for number in range(3, 15)}


def test_one_half_s_metadata_are_enough_where_upstream_names_one_hash(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    behind.metadata = True
    behind.add("pkg", *make_pair(tmp_path))
    assert index.get(index.address("pkg", FUSED) + ".metadata")[0] == 200
    assert len([path for _, path, _ in behind.requests if path.startswith("/packages/")]) == 1


def test_metadata_that_do_not_agree_are_not_promised(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    one, other = (
        f"Metadata-Version: 2.1\nName: pkg\nVersion: 1.0\nRequires-Dist: {name}\n".encode()
        for name in ("one", "other")
    )
    options: dict[str, Any] = {
        "x86_64_options": {"metadata": one},
        "arm64_options": {"metadata": other},
    }
    behind.add("pkg", *make_pair(tmp_path, **options))
    assert index.files("pkg")[FUSED]["core-metadata"] is False
    assert index.get(index.address("pkg", FUSED) + ".metadata")[0] == 409
    assert index.get(index.address("pkg", FUSED))[0] == 409


def test_a_fused_wheel_has_hash_size_ranges_and_a_lasting_address(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    address = index.address("pkg", FUSED)
    status, headers, body = index.get(address)
    assert (status, headers["Content-Length"]) == (200, str(len(body)))
    file = index.files("pkg")[FUSED]
    assert (file["size"], index.address("pkg", FUSED)) == (len(body), address)
    assert index.page("pkg")["meta"] == {"api-version": "1.1"}
    assert file["hashes"] == {"sha256": hashlib.sha256(body).hexdigest()}
    assert index.get(address, If_None_Match=headers["Etag"])[0] == 304
    assert index.get(address, Range="bytes=5-", If_Range=headers["Etag"])[::2] == (206, body[5:])
    assert index.get(address, Range="bytes=1-3")[::2] == (206, body[1:4])
    status, headers, nothing = index.get(address, "HEAD")
    assert (status, headers["Content-Length"], nothing) == (200, str(len(body)), b"")
    assert len(behind.asked(r"/packages/.*whl$")) >= 2


def test_many_who_ask_at_once_cause_one_fusion(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    paths = make_pair(tmp_path)
    behind.add("pkg", *paths)
    address = index.address("pkg", FUSED)
    before = len(behind.requests)
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.append(index.get(address)[2])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert len(answers) == 8
    assert len(behind.requests) - before == 2


def test_a_slow_upstream_sends_the_client_round(
    behind: FakeIndex, index: Index, tmp_path: Path
) -> None:
    """pip waits 15 s for a byte; here the file takes longer, and pip gets it in one call."""
    paths = make_pair(tmp_path)
    behind.add("pkg", *paths)

    def slow(handler: Handler, body: bytes) -> None:
        if handler.headers.get("Range") is None:
            time.sleep(24)
            handler.answer(200, body)
        else:
            handler.answer(
                206, body, headers={"Content-Range": f"bytes 0-{len(body) - 1}/{len(body)}"}
            )

    behind.faults[f"/packages/{paths[0].name}"] = slow
    words = ["download", "-q", "--no-deps", "-d", "got", "--index-url", index.simple, *MAC]
    run([*pip("bundled"), *words, "--retries", "0", "--timeout", "23", "pkg"], tmp_path)
    assert (tmp_path / "got" / FUSED).is_file()


def test_a_conflict_is_told_everywhere(index: Index, behind: FakeIndex, tmp_path: Path) -> None:
    sides: dict[str, Any] = {"x86_64": {"pkg/data.bin": b"1"}, "arm64": {"pkg/data.bin": b"2"}}
    behind.add("pkg", *make_pair(tmp_path, **sides))
    assert FUSED in index.files("pkg")  # a resolver would take an older version without a word
    status, headers, body = index.get(index.address("pkg", FUSED))
    assert (status, headers["Content-Type"]) == (409, "text/plain; charset=utf-8")
    assert "conflict: pkg/data.bin: differs" in body.decode()
    (job,) = index.status()["files"]
    assert job["state"] == "conflict"
    assert job["rules"] == [{"glob": "pkg/data.bin", "action": "keep-arm64"}]
    page = index.get("/")[2].decode()
    assert "&quot;pkg/data.bin&quot; = &quot;keep-arm64&quot;" in page
    assert any("conflict: pkg/data.bin" in line for line in index.said)


def test_rules_settle_it_and_change_the_address(behind: FakeIndex, tmp_path: Path) -> None:
    sides: dict[str, Any] = {"x86_64": {"pkg/data.bin": b"1"}, "arm64": {"pkg/data.bin": b"2"}}
    behind.add("pkg", *make_pair(tmp_path, **sides))
    settings = tmp_path / "rules.toml"
    settings.write_text('[tool.fatwheel.rules]\n"pkg/*.bin" = "keep-arm64"\n')
    with running(tmp_path / "cache", "--upstream", behind.url) as index:
        unsettled = index.address("pkg", FUSED)
    with running(tmp_path / "cache", "--upstream", behind.url, "--rules", str(settings)) as index:
        settled = index.address("pkg", FUSED)
        assert settled != unsettled
        assert index.get(settled)[0] == 200
        assert index.get(unsettled)[0] == 404


def test_a_kind_that_is_switched_off_changes_the_address(behind: FakeIndex, tmp_path: Path) -> None:
    sides: dict[str, Any] = {"x86_64": {"pkg/a.py": b"A = 1\n"}, "arm64": {"pkg/a.py": b"A = 2\n"}}
    behind.add("pkg", *make_pair(tmp_path, **sides))
    with running(tmp_path / "cache", "--upstream", behind.url) as index:
        settled = index.address("pkg", FUSED)
        assert index.get(settled)[0] == 200
    off = ("--no-kind", "literals")
    with running(tmp_path / "cache", "--upstream", behind.url, *off) as index:
        unsettled = index.address("pkg", FUSED)
        assert index.get(settled)[0] == 404
        assert index.get(unsettled)[0] == 409


@pytest.mark.parametrize(("allowed", "asked"), [("max-age=600", 1), ("no-cache", 2)])
def test_a_fresh_page_is_not_asked_for_by_the_next_index(
    behind: FakeIndex, tmp_path: Path, allowed: str, asked: int
) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    behind.faults["/simple/pkg/"] = lambda handler, body: handler.answer(
        200, body, JSON, {"Cache-Control": allowed}
    )
    for _ in range(2):
        with running(tmp_path / "cache", "--upstream", behind.url) as index:
            assert FUSED in index.files("pkg")
    assert len(behind.asked("/simple/pkg/")) == asked


def test_a_page_has_a_validator_that_changes_with_it(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    _, headers, _ = index.get("/simple/pkg/", Accept=JSON)
    known = {"If_None_Match": headers["Etag"]}
    status, again, body = index.get("/simple/pkg/", Accept=JSON, **known)
    assert (status, body, again["Etag"]) == (304, b"", headers["Etag"])
    index.get(index.address("pkg", FUSED))  # now its hash is known
    status, again, _ = index.get("/simple/pkg/", Accept=JSON, **known)
    assert status == 200
    assert again["Etag"] != headers["Etag"]


def test_everything_in_the_cache_works_offline(behind: FakeIndex, tmp_path: Path) -> None:
    tree(behind, tmp_path / "wheels")
    words = ["download", "-q", *MAC, "pkg"]
    first, second = tmp_path / "first", tmp_path / "second"
    with running(tmp_path / "cache", "--upstream", behind.url) as index:
        run([*pip("installed"), *words, "-d", "first", "--index-url", index.simple], tmp_path)
    count = len(behind.requests)
    with running(tmp_path / "cache", "--upstream", behind.url, "--offline") as index:
        run([*pip("installed"), *words, "-d", "second", "--index-url", index.simple], tmp_path)
        assert index.get("/simple/unknown/")[0] == 404
    assert len(behind.requests) == count
    _, different, errors = filecmp.cmpfiles(
        first, second, [path.name for path in first.iterdir()], shallow=False
    )
    assert (different, errors) == ([], [])


def test_two_indexes_share_a_cache(behind: FakeIndex, tmp_path: Path) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    cache = tmp_path / "cache"
    with (
        running(cache, "--upstream", behind.url) as one,
        running(cache, "--upstream", behind.url) as other,
    ):
        bodies = {index.get(index.address("pkg", FUSED))[2] for index in (one, other)}
    assert len(bodies) == 1
    assert list(cache.rglob("*.part")) == []


def test_a_damaged_cache_is_made_anew(index: Index, behind: FakeIndex, tmp_path: Path) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    address = index.address("pkg", FUSED)
    body = index.get(address)[2]
    for path in index.cache.rglob("*.whl"):
        path.write_bytes(path.read_bytes()[:-7])
    assert index.get(address)[2] == body


def test_a_wheel_that_lies_is_completed(index: Index, behind: FakeIndex, tmp_path: Path) -> None:
    name = "pkg-1.0-cp312-cp312-macosx_10_13_universal2.whl"
    lying = make_wheel(tmp_path, "macosx_10_13_universal2", {NATIVE: code(A)})
    thin = make_wheel(tmp_path, PLATFORMS[X], {NATIVE: code(X)})
    behind.add("pkg", lying, thin)
    status, _, body = index.get(index.address("pkg", name))
    assert status == 409
    assert "says universal2, and all its code is for arm64" in body.decode()
    status, _, body = index.get(index.address("pkg", name))
    assert status == 200
    (tmp_path / "got.whl").write_bytes(body)
    with zipfile.ZipFile(tmp_path / "got.whl") as archive:
        assert len(slices_of(archive.read(NATIVE))) == 2


def test_a_universal2_wheel_is_served_as_it_is(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    own = make_wheel(tmp_path, "macosx_10_13_universal2", {NATIVE: universal(code(X), code(A))})
    behind.add("pkg", own)
    file = index.files("pkg")[own.name]
    assert file["size"] == own.stat().st_size
    assert index.get(index.address("pkg", own.name))[2] == own.read_bytes()


def test_upload_times_and_yanks_are_those_of_both(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    x86_64, arm64 = make_pair(tmp_path)
    behind.add(
        "pkg", x86_64, **{"upload-time": "2024-01-01T00:00:00Z", "yanked": "broken on Intel"}
    )
    behind.add("pkg", arm64, **{"upload-time": "2024-02-01T00:00:00Z", "requires-python": ">=3.9"})
    file = index.files("pkg")[FUSED]
    assert file["upload-time"] == "2024-02-01T00:00:00Z"
    assert file["yanked"] == "broken on Intel"
    assert file["requires-python"] == ">=3.9"


def test_the_first_upstream_that_has_a_project_counts(behind: FakeIndex, tmp_path: Path) -> None:
    own = tmp_path / "own"
    make_pair(own, {"pkg/own.py": b""})
    behind.add("pkg", *make_pair(tmp_path / "theirs", version="9.0"))
    behind.add("other", *make_pair(tmp_path / "theirs", name="other"))
    with running(tmp_path / "cache", "--upstream", str(own), "--upstream", behind.url) as index:
        assert list(index.files("pkg")) == [FUSED]
        body = index.get(index.address("pkg", FUSED))[2]
        assert index.files("other").keys() == {FUSED.replace("pkg", "other")}
    assert behind.asked("pkg") == []
    (tmp_path / FUSED).write_bytes(body)
    assert "pkg/own.py" in read_whole(tmp_path / FUSED)


def test_other_hosts_and_odd_paths_are_refused(
    index: Index, behind: FakeIndex, tmp_path: Path
) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    assert index.get("/simple/pkg/", Host="evil.example")[0] == 403
    assert index.get("/simple/pkg/", Host="localhost:1")[0] == 200
    assert index.get("/simple/Pkg/")[0] == 200  # after a redirect
    assert index.get("/simple/pkg/", Accept="image/png")[0] == 406
    for path in (
        "/files/x/..%2f..%2fetc%2fpasswd",
        "/files/../../etc/passwd",
        "/simple/..%2f/",
        "/simple/a%00b/",
    ):
        assert index.get(path)[0] in {400, 404}, path
    assert index.get("/simple/", "POST")[0] == 405


def test_an_upstream_that_is_gone_is_said(behind: FakeIndex, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    behind.add("pkg", *make_pair(tmp_path))
    with running(tmp_path / "cache", "--upstream", f"http://127.0.0.1:{port}/simple") as index:
        status, _, body = index.get("/simple/pkg/")
        assert status == 502
        assert f"http://127.0.0.1:{port}/simple/pkg/ cannot be reached" in body.decode()


def test_a_command_gets_the_index_and_its_exit_code_is_ours(
    behind: FakeIndex, tmp_path: Path
) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    words = [
        sys.executable,
        "-m",
        "fatwheel",
        "index",
        "--port",
        "0",
        "--cache",
        "cache",
        "--upstream",
        behind.url,
        "--",
    ]
    program = "import os, sys; print(os.environ['PIP_INDEX_URL'], os.environ['UV_DEFAULT_INDEX']); sys.exit(7)"
    said = run([*words, sys.executable, "-c", program], tmp_path, code=7)
    assert re.search(r"^(http://127\.0\.0\.1:\d+/simple/) \1$", said, re.MULTILINE)
    run([*words, *pip("installed"), "download", "-q", "-d", "got", *MAC[2:], "pkg"], tmp_path)
    assert (tmp_path / "got" / FUSED).is_file()
    assert "nosuchprogram is not installed" in run([*words, "nosuchprogram"], tmp_path, code=3)


def test_a_command_s_conflicts_are_told_again_at_the_end(behind: FakeIndex, tmp_path: Path) -> None:
    sides: dict[str, Any] = {"x86_64": {"pkg/data.bin": b"1"}, "arm64": {"pkg/data.bin": b"2"}}
    behind.add("pkg", *make_pair(tmp_path, **sides))
    words = [
        sys.executable,
        "-m",
        "fatwheel",
        "index",
        "-q",
        "--port",
        "0",
        "--cache",
        "cache",
        "--upstream",
        behind.url,
    ]
    said = run(
        [*words, "--", *pip("installed"), "download", "-d", "got", *MAC[2:], "pkg"],
        tmp_path,
        code=1,
    )
    assert said.rstrip().count("conflict: pkg/data.bin") == 2
    assert said.rindex("conflict: pkg/data.bin") > said.rindex("409")


def test_ctrl_c_ends_it_and_leaves_nothing_half(behind: FakeIndex, tmp_path: Path) -> None:
    paths = make_pair(tmp_path)
    behind.add("pkg", *paths)
    asked, over = threading.Event(), threading.Event()

    def never(handler: Handler, body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[:10])
        handler.wfile.flush()
        asked.set()
        over.wait(300)

    with running(tmp_path / "cache", "--upstream", behind.url) as index:
        address = index.address("pkg", FUSED)
        behind.faults[f"/packages/{paths[0].name}"] = never
        behind.faults[f"/packages/{paths[1].name}"] = never
        asker = threading.Thread(target=_quietly, args=(index, address))
        asker.start()
        assert asked.wait(120)
        index.process.send_signal(signal.SIGINT)
        assert index.process.wait(120) == 130  # upstream is as silent as before
        over.set()
        asker.join()
    assert list((tmp_path / "cache").rglob("*.part")) == []
    assert list((tmp_path / "cache").rglob("*.whl")) == []
    assert "".join(index.said).count("Traceback") == 0


def _quietly(index: Index, address: str) -> None:
    with contextlib.suppress(OSError):
        index.get(address)


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        words = [sys.executable, "-m", "fatwheel", "index", "--port", port, "--cache", "cache"]
        assert "is another index running there?" in run(words, tmp_path, code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--macos", "twelve"], "--macos twelve: that is no macOS version"),
        (["--upstream", "nowhere"], "--upstream nowhere: there is no such folder"),
        (["--upstream", "ftp://host/"], "is neither an address nor a folder"),
    ],
)
def test_wrong_usage(words: list[str], said: str, tmp_path: Path) -> None:
    assert said in run(
        [sys.executable, "-m", "fatwheel", "index", "--port", "0", "--cache", "cache", *words],
        tmp_path,
        code=2,
    )


def test_prune_removes_what_was_not_used(behind: FakeIndex, tmp_path: Path) -> None:
    behind.add("pkg", *make_pair(tmp_path))
    cache = tmp_path / "cache"
    with running(cache, "--upstream", behind.url) as index:
        index.get(index.address("pkg", FUSED))
    words = [sys.executable, "-m", "fatwheel", "index", "--cache", str(cache), "--prune"]
    assert "0 B removed" in run([*words, "1"], tmp_path)
    assert list(cache.rglob("*.whl"))
    assert "0 B are left" in run([*words, "0"], tmp_path)
    assert [path for path in cache.rglob("*") if path.is_file()] == []


def test_the_page_in_a_browser(index: Index, behind: FakeIndex, tmp_path: Path) -> None:
    browser = require_tool("chromium", "apt-get install chromium")
    tree(behind, tmp_path / "wheels")
    index.get(index.address("pkg", FUSED))
    index.page("newer")
    words = [
        browser,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}/profile",
    ]
    dumped = run(
        [
            *words,
            "--window-size=400,800",
            "--virtual-time-budget=2000",
            "--dump-dom",
            f"{index.url}/",
        ],
        tmp_path,
    )
    assert FUSED in dumped
    assert "newer 2.0: no x86_64 wheel" in dumped
    assert "<script" not in dumped
