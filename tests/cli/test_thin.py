"""`fatwheel thin` on the command line, as far as golden files cannot tell it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.commandline import environment, run
from tests.support.wheels import A, X, code, make_wheel, program, universal

NAME = "macosx_10_13_universal2"


def app(folder: Path) -> Path:
    main = folder / "App.app/Contents/MacOS/App"
    main.parent.mkdir(parents=True)
    main.write_bytes(universal(program(X), program(A)))
    main.with_name("helper").write_bytes(program(X))
    return folder / "App.app"


def test_an_app(tmp_path: Path) -> None:
    done = run("thin", app(tmp_path), "--arch", "arm64", "-o", tmp_path / "out")
    assert done.returncode == 0
    made = tmp_path / "out/App.app"
    assert done.stdout == f"{made}\n"
    assert (made / "Contents/MacOS/App").read_bytes() == program(A)
    assert "keep      Contents/MacOS/helper  (no code for arm64)" in done.stderr
    assert "sign anew" in done.stderr
    assert "1 thinned, 1 kept" in done.stderr


def test_an_app_as_json(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, NAME, {"pkg/_m.so": universal(code(X), code(A))})
    done = run("thin", app(tmp_path), wheel, "--arch", "arm64", "-o", tmp_path / "out", "--json")
    tree, thin = json.loads(done.stdout)["inputs"]
    assert [tree["status"], thin["status"]] == ["thinned", "thinned"]
    assert (
        tree["output"]["size"] == len(program(A)) + len(program(X)) < tree["output"]["size_before"]
    )
    assert {file["name"]: file["action"] for file in tree["plan"]["files"]} == {
        "Contents/MacOS/App": "thin",
        "Contents/MacOS/helper": "keep",
    }
    assert thin["output"]["path"] == str(tmp_path / "out/pkg-1.0-cp312-cp312-macosx_11_0_arm64.whl")


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    done = run("thin", app(tmp_path), "--arch", "x86_64", "-o", tmp_path / "out", "--dry-run")
    assert done.returncode == 0
    assert done.stdout == ""
    assert "thin      Contents/MacOS/App" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_time_stamp_is_source_date_epoch(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, NAME, {"pkg/_m.so": universal(code(X), code(A))})
    made = []
    for number in ("1", "2"):
        env = environment(SOURCE_DATE_EPOCH="1000000000")
        done = run("thin", wheel, "--arch", "arm64", "-o", tmp_path / number, env=env)
        made.append(Path(done.stdout.strip()).read_bytes())
    assert made[0] == made[1]
    plain = run("thin", wheel, "--arch", "arm64", "-o", tmp_path / "3")
    assert Path(plain.stdout.strip()).read_bytes() != made[0]
