"""Which wheels `fatwheel wheelhouse --build` would build, and what it reads of an sdist."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from pathlib import Path

import pytest

from fatwheel.arch import Arch
from fatwheel.errors import WheelError
from fatwheel.index.listing import ListingOptions, make_listing
from fatwheel.index.page import File, Page
from fatwheel.wheelhouse.choose import supported_tags
from fatwheel.wheelhouse.sdists import (
    ToBuild,
    pinned_versions,
    read_sdist,
    wheels_to_build,
)

TAGS = {arch: supported_tags((3, 12), (12, 0), arch) for arch in Arch}
X, A = "macosx_10_12_x86_64", "macosx_11_0_arm64"


def to_build(
    *names: str, pinned: tuple[str, ...] = (), yanked: tuple[str, ...] = ()
) -> list[ToBuild]:
    files = [
        File(
            filename=name,
            url=f"https://example.org/{name}",
            hashes={"sha256": f"{number:064x}"},
            yanked="" if name in yanked else None,
        )
        for number, name in enumerate(names)
    ]
    page = Page(name="pkg", files=tuple(files))
    listing = make_listing(page, ListingOptions(macos=(12, 0)))
    return wheels_to_build(page, listing, TAGS, "3.12", set(pinned))


def thin(version: str, platform: str, tags: str = "cp312-cp312") -> str:
    return f"pkg-{version}-{tags}-{platform}.whl"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            [thin("1.0", A), "pkg-1.0.tar.gz"],
            [("pkg-1.0-cp312-cp312-macosx_10_12_universal2.whl", "x86_64", True)],
        ),
        (
            [thin("1.0", X), "pkg-1.0.tar.gz"],
            [("pkg-1.0-cp312-cp312-macosx_10_12_universal2.whl", "arm64", True)],
        ),
        (
            ["pkg-1.0.tar.gz"],
            [("pkg-1.0-cp312-cp312-macosx_10_12_universal2.whl", "x86_64 arm64", False)],
        ),
        # the half that the wanted Python prefers
        (
            [thin("1.0", A, "cp39-abi3"), thin("1.0", A, "cp311-abi3"), "pkg-1.0.tar.gz"],
            [("pkg-1.0-cp311-abi3-macosx_10_12_universal2.whl", "x86_64", True)],
        ),
        # a half for another Python is none
        (
            [thin("1.0", A, "cp311-cp311"), "pkg-1.0.tar.gz"],
            [("pkg-1.0-cp312-cp312-macosx_10_12_universal2.whl", "x86_64 arm64", False)],
        ),
        # nor is one for a newer macOS
        (
            [thin("1.0", "macosx_14_0_arm64"), "pkg-1.0.tar.gz"],
            [("pkg-1.0-cp312-cp312-macosx_10_12_universal2.whl", "x86_64 arm64", False)],
        ),
        # two that are no pair are another trouble than a lack
        ([thin("1.0", A), thin("1.0", X, "cp312-abi3"), "pkg-1.0.tar.gz"], []),
        ([thin("1.0", A), thin("1.0", X), "pkg-1.0.tar.gz"], []),
        ([thin("1.0", A)], []),
        ([thin("1.0", A), "pkg-1.0.zip"], []),
        (["pkg-1.0-py3-none-any.whl", "pkg-1.0.tar.gz"], []),
        # older than what there is, and pre-releases: a resolver would not take them
        ([thin("2.0", A), thin("2.0", X), thin("1.0", A), "pkg-1.0.tar.gz"], []),
        ([thin("1.0", A), thin("1.0", X), thin("2.0rc1", A), "pkg-2.0rc1.tar.gz"], []),
        (
            [thin("1.0", A), "pkg-1.0.tar.gz", thin("2.0", A), "pkg-2.0.tar.gz"],
            [
                ("pkg-2.0-cp312-cp312-macosx_10_12_universal2.whl", "x86_64", True),
                ("pkg-1.0-cp312-cp312-macosx_10_12_universal2.whl", "x86_64", True),
            ],
        ),
    ],
)
def test_what_could_be_built(files: list[str], expected: list[tuple[str, str, bool]]) -> None:
    found = [
        (
            wheel.entry.filename,
            " ".join(arch.value for arch in wheel.archs),
            wheel.half is not None,
        )
        for wheel in to_build(*files)
    ]
    assert found == expected


def test_what_is_pinned_or_yanked() -> None:
    older = [thin("2.0", A), thin("2.0", X), thin("1.0", A), "pkg-1.0.tar.gz"]
    assert [wheel.entry.version for wheel in to_build(*older, pinned=("1.0",))] == ["1.0"]
    newer = [thin("1.0", A), "pkg-1.0.tar.gz"]
    assert to_build(*newer, yanked=("pkg-1.0.tar.gz",)) == []
    pinned = to_build(*newer, yanked=("pkg-1.0.tar.gz",), pinned=("1.0.0",))
    assert [wheel.entry.version for wheel in pinned] == ["1.0"]


def test_what_is_said_of_it() -> None:
    (wheel,) = to_build(thin("1.0", A), "pkg-1.0.tar.gz")
    assert wheel.sentence == (
        "pkg 1.0: the x86_64 half is built here from the sdist, by the project's own code, for upstream has no x86_64 "
        "wheel"
    )
    assert [file.filename for file in wheel.files] == [thin("1.0", A), "pkg-1.0.tar.gz"]
    (both,) = to_build("pkg-1.0.tar.gz")
    assert both.sentence == (
        "pkg 1.0: the x86_64 and arm64 halves are built here from the sdist, by the project's own code, for upstream "
        "has no x86_64 or arm64 wheel"
    )


def test_pinned_versions() -> None:
    texts = [
        "App[x]==1.0 ; python_version > '3'",
        "# c\nb===2\nc>=1\nd==1.*\n-e .\ne == 3.0  # why",
    ]
    assert pinned_versions(texts) == {"app": {"1.0"}, "b": {"2"}, "e": {"3.0"}}


def sdist(folder: Path, files: dict[str, str]) -> Path:
    path = folder / "pkg-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


SETTINGS = '[build-system]\nrequires = ["maturin>=1,<2", "cffi"]\nbuild-backend = "maturin"\n'
HEAD = "Metadata-Version: 2.4\nName: pkg\nVersion: 1.0\n"


@pytest.mark.parametrize(
    ("files", "backend", "has_metadata"),
    [
        ({"pkg-1.0/pyproject.toml": SETTINGS, "pkg-1.0/PKG-INFO": HEAD}, "maturin", True),
        ({"pkg-1.0/sub/pyproject.toml": SETTINGS, "pkg-1.0/PKG-INFO": HEAD}, "", True),
        (
            {
                "pkg-1.0/pyproject.toml": SETTINGS.replace('"maturin"\n', '"fatwheel.backend"\n'),
                "pkg-1.0/PKG-INFO": f"{HEAD}Dynamic: Requires-Dist\n",
            },
            "fatwheel.backend",
            False,
        ),
        (
            {
                "pkg-1.0/pyproject.toml": "[build-system]\nbuild-backend = 'setuptools.build_meta'",
                "pkg-1.0/PKG-INFO": HEAD.replace("2.4", "2.1"),
            },
            "setuptools.build_meta",
            False,
        ),
        ({"pkg-1.0/pyproject.toml": "no toml ["}, "", False),
        ({}, "", False),
    ],
)
def test_what_an_sdist_says(
    tmp_path: Path, files: dict[str, str], backend: str, has_metadata: bool
) -> None:
    facts = read_sdist(sdist(tmp_path, files))
    assert (facts.backend, bool(facts.metadata)) == (backend, has_metadata)
    assert facts.is_maturins == (backend in {"maturin", "fatwheel.backend"})


def test_an_sdist_that_is_damaged_or_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sdist(tmp_path, {"pkg-1.0/a": "x" * 4096, "pkg-1.0/pyproject.toml": SETTINGS})
    whole = path.read_bytes()
    monkeypatch.setattr("fatwheel.wheelhouse.sdists._MOST", 2048)
    with pytest.raises(WheelError, match=r"pkg-1\.0\.tar\.gz: is larger than 1 GiB"):
        read_sdist(path)
    for data in (whole[:-20], b"nothing", gzip.compress(b"x" * 600)):
        path.write_bytes(data)
        with pytest.raises(
            WheelError, match=re.escape("pkg-1.0.tar.gz: cannot be read as an sdist")
        ):
            read_sdist(path)
