"""`import` for macOS modules: a path hook that finds them in given folders and a loader that makes them modules."""

from __future__ import annotations

import ctypes
import importlib.machinery
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import ExtensionFileLoader, FileFinder, ModuleSpec
from pathlib import Path
from types import ModuleType

from tests.machorun.loader import Loader

API_VERSION = 1013
SUFFIXES = [
    "." + f"cpython-{sys.version_info[0]}{sys.version_info[1]}-darwin.so",
    ".abi3.so",
    ".so",
]

_python = ctypes.pythonapi
_from_spec = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_int)(
    ("PyModule_FromDefAndSpec2", _python)
)
_get_def = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)(("PyModule_GetDef", _python))
_execute = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p)(
    ("PyModule_ExecDef", _python)
)
_add = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_void_p)(
    ("PyState_AddModule", _python)
)
_DEF_TYPE = ctypes.addressof(ctypes.c_char.in_dll(_python, "PyModuleDef_Type"))


def install(loader: Loader, folders: Iterable[str]) -> None:
    """Let `import` find macOS modules in these folders, which are put in front of sys.path."""
    roots = [str(Path(folder).resolve()) for folder in folders]

    class DarwinLoader(ExtensionFileLoader):
        def create_module(self, spec: ModuleSpec) -> ModuleType:
            return _create(loader, spec)

        def exec_module(self, module: ModuleType) -> None:
            if (definition := _multi_phase.get(id(module))) and _execute(module, definition):
                raise SystemError("unreachable: a failure raises its own exception")

    details: list[tuple[Callable[[str, str], object], list[str]]] = [
        (DarwinLoader, SUFFIXES),
        (importlib.machinery.SourceFileLoader, [".py"]),
    ]

    def hook(path: str) -> FileFinder:
        inside = any(path == root or path.startswith(root + "/") for root in roots)
        if not inside or not Path(path).is_dir():
            raise ImportError(f"{path} is no folder of macOS modules")
        return FileFinder(path, *details)  # type: ignore[arg-type]

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.clear()
    sys.path[:0] = roots


_multi_phase: dict[int, int] = {}


def _create(loader: Loader, spec: ModuleSpec) -> ModuleType:
    assert spec.origin is not None
    loaded = loader.load(Path(spec.origin))
    last = spec.name.rpartition(".")[2]
    try:
        entry = loaded.exports["_PyInit_" + last]
    except KeyError:
        message = f"dynamic module does not define module export function (PyInit_{last})"
        raise ImportError(message, name=spec.name, path=spec.origin) from None
    # A pointer, since a definition is static: ctypes must not count references to it.
    made = ctypes.PYFUNCTYPE(ctypes.c_void_p)(entry)()
    if made is None:
        raise SystemError(f"initialization of {spec.name} failed without raising an exception")
    if ctypes.c_void_p.from_address(made + 8).value == _DEF_TYPE:
        module: ModuleType = _from_spec(made, spec, API_VERSION)
        _multi_phase[id(module)] = made
    else:
        module = ctypes.cast(made, ctypes.py_object).value
        module.__name__ = spec.name
        if definition := _get_def(module):
            _add(module, definition)
    return module
