"""The rules that fatwheel ships, each for the members of one project that its wheels are known to differ in.

Every entry names the project it was made for, the member, what is done with it and why that is right for every user of
that project. `fatwheel rules` prints them; a rule of the user's own overrides them, `--no-rulebook` switches them off.
They are Python, as every start reads them: TOML would cost it more than all that fusing a small pair takes.
"""

from __future__ import annotations

from fatwheel.action import Action
from fatwheel.fusion.rules import Rule

__all__ = ["rule_book"]


def _entry(
    project: str, member: str, action: Action, reason: str, seen: tuple[str, ...] = ()
) -> Rule:
    """Return the rule; `seen` are versions of the project in which it was found right."""
    return Rule(
        project=project, glob=member, action=action, reason=reason, seen=seen, origin="rule book"
    )


_RULES = (
    _entry(
        project="numpy",
        member="numpy/__config__.py",
        action=Action.KEEP_ARM64,
        reason=(
            "a record of how the wheel was built (compilers, BLAS, CPU features) that only "
            "numpy.show_config() prints"
        ),
    ),
    _entry(
        project="scipy",
        member="scipy/__config__.py",
        action=Action.KEEP_ARM64,
        reason="a record of how the wheel was built (compilers, BLAS) that only scipy.show_config() prints",
    ),
    _entry(
        project="rapidfuzz",
        member="rapidfuzz/_feature_detector_cpp.*.so",
        action=Action.ALLOW,
        reason="detects AVX2 and SSE2; rapidfuzz imports it only on x86 and falls back where it is missing",
    ),
    _entry(
        project="polars",
        member="polars/_cpu_check.py''",
        action=Action.KEEP_ARM64,
        reason=(
            "a copy of _cpu_check.py that the release script's sed left behind; no module can be imported "
            "under that name"
        ),
    ),
    _entry(
        project="faiss-cpu",
        member="faiss/_swigfaiss_avx*.so",
        action=Action.ALLOW,
        reason="faiss/loader.py imports it only where the processor has AVX2 or AVX-512, and goes on without it",
    ),
    _entry(
        project="faiss-cpu",
        member="faiss/swigfaiss_avx*.py",
        action=Action.ALLOW,
        reason="the Python half of _swigfaiss_avx*.so, imported by faiss/loader.py under the same condition",
    ),
    _entry(
        project="imageio-ffmpeg",
        member="imageio_ffmpeg/binaries/ffmpeg-macos-*",
        action=Action.ALLOW,
        reason="programs named after their architecture; imageio_ffmpeg runs the one that platform.machine() names",
    ),
    _entry(
        project="contourpy",
        member="contourpy/util/_build_config.py",
        action=Action.KEEP_ARM64,
        reason="a record of how the wheel was built that only contourpy.util.build_config() prints",
    ),
    _entry(
        project="playwright",
        member="playwright/driver/README.md",
        action=Action.KEEP_ARM64,
        reason="one line that names the wheel it was made for; nothing reads it",
    ),
    _entry(
        project="piqp",
        member="piqp/piqp_python_avx*.so",
        action=Action.ALLOW,
        reason="piqp/__init__.py imports it only where instruction_set says that the processor has AVX2 or AVX-512",
        seen=("0.6.4",),
    ),
    _entry(
        project="proxsuite",
        member="cmeel.prefix/lib/python3.*/site-packages/proxsuite/proxsuite_pywrap_avx*.so",
        action=Action.ALLOW,
        reason=(
            "proxsuite/__init__.py imports it only where platform.machine() is no arm and instructionset "
            "finds AVX2 or AVX-512"
        ),
        seen=("0.6.7", "0.7.2", "0.8.0"),
    ),
    _entry(
        project="proxsuite",
        member="cmeel.prefix/lib/python3.*/site-packages/proxsuite/instructionset.*.so",
        action=Action.ALLOW,
        reason="proxsuite/__init__.py imports it only where platform.machine() is no arm",
        seen=("0.6.7", "0.7.2", "0.8.0"),
    ),
    _entry(
        project="proxsuite",
        member="cmeel.prefix/lib/cmake/proxsuite/proxsuiteTargets.cmake",
        action=Action.KEEP_X86_64,
        reason=(
            "names the module instructionset besides, which no other target uses; arm64's fails beside "
            "proxsuiteTargets-release.cmake"
        ),
        seen=("0.6.7", "0.7.2"),
    ),
    _entry(
        project="scipy",
        member="scipy/version.py",
        action=Action.KEEP_ARM64,
        reason="commit_count, which nothing in scipy reads, is 0 where arm64's was built of a shallow clone",
        seen=("1.10.0", "1.10.1", "1.11.4"),
    ),
    _entry(
        project="pyogrio",
        member="pyogrio/*_data/vcpkg[._]*",
        action=Action.KEEP_ARM64,
        reason="vcpkg's records of how GDAL and PROJ were built, which nothing in pyogrio, GDAL or PROJ reads",
        seen=("0.13.0",),
    ),
    _entry(
        project="pyogrio",
        member="pyogrio/gdal_data/GDALConfig.cmake",
        action=Action.KEEP_ARM64,
        reason=(
            'differs in a line below if(NOT "ON"); CMake refuses either, for the library it names is not in '
            "the wheel"
        ),
        seen=("0.13.0",),
    ),
)


def rule_book() -> tuple[Rule, ...]:
    """Return the rules that fatwheel ships, each with its reason."""
    return _RULES
