"""Software bills of materials: one CycloneDX document out of two.

maturin writes one under `*.dist-info/sboms/`. Those of the two wheels always differ in serial
number and timestamp, and sometimes in components, because crates depend on the target. The result
holds the components and dependencies of both; a component of one architecture alone says so in a
property of its own:

    {"name": "fatwheel:architectures", "value": "arm64"}

- The serial number is a version 5 UUID made from the SHA-256 of both documents.
- The timestamp is the newer one.
- A component is known by its `bom-ref`, or by its `purl` where it has none. cargo's references
hold the path
  of the build; of two components that differ in nothing but references, x86_64's takes arm64's.
- Lists that are sorted in both documents are sorted in the result; others have arm64's order, and
what only
  x86_64 has at the end.
- All other fields must be equal.

Specification: CycloneDX 1.3 to 1.7 in JSON (PEP 770 for where it lies); earlier versions have no
component properties.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import Any, cast

from fatwheel.arch import Arch
from fatwheel.fusion.merge import Merged, MergeResult, Unmergeable
from fatwheel.printable import counted
from fatwheel.wheels.jsontext import load_json

__all__ = ["ARCHITECTURES_PROPERTY", "SCOPE_PROPERTY", "is_sbom", "merge_sbom", "split_sbom"]

SCOPE_PROPERTY = "fatwheel:scope"
"""Name of the property that says which scope a component has for each architecture, where they differ."""

_SCOPES = ("excluded", "optional", "required")
"""In rising order; the last holds where none is named."""

ARCHITECTURES_PROPERTY = "fatwheel:architectures"
"""Name of the property that says which architecture a component belongs to, where not to both."""

_Object = dict[str, Any]
_SPEC_VERSIONS = ("1.3", "1.4", "1.5", "1.6", "1.7")
_ABSENT: Any = object()
_LARGEST = 16 << 20  # bytes
_REFERENCES = frozenset({"bom-ref", "ref", "dependsOn", "provides"})
_TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:([Zz])|([+-]\d\d:\d\d))", re.ASCII
)


class _CannotMergeError(Exception):
    """Carries the clause of an `Unmergeable` out of the nested functions of this module."""


def is_sbom(name: str) -> bool:
    """Tell whether a member lies where SBOMs of a wheel lie: `*.dist-info/sboms/` (PEP 770)."""
    parts = PurePosixPath(name).parts
    return len(parts) > 2 and parts[0].endswith(".dist-info") and parts[1] == "sboms"


def merge_sbom(x86_64: bytes, arm64: bytes, *, scopes: bool = False) -> MergeResult:
    """Merge two CycloneDX documents in JSON; see the module for how.

    With `scopes`, the rule book's kind `sbom-scope` decides besides: of a component that both have, and that differs in
    `scope` alone, the stronger scope is taken, and the property `fatwheel:scope` says each architecture's.

    `Unmergeable` names what is not CycloneDX in JSON, or the first field that differs and must not.
    The result has no blanks between its values.
    """
    try:
        x_bom, a_bom = _load("x86_64", x86_64), _load("arm64", arm64)
        x_bom = _rename(x_bom, _renamed_references(x_bom, a_bom))
        _require_equal_rest(x_bom, a_bom)
        if scopes:
            x_bom, a_bom = _with_scopes(x_bom, a_bom)
        merged = _merge(x_bom, a_bom)
        if "serialNumber" in a_bom:
            merged["serialNumber"] = _serial_number(x86_64, arm64)
        # Without blanks, Python writes it three times as fast.
        text = json.dumps(merged, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        content = text.encode("utf-8") + (b"\n" if arm64.endswith(b"\n") else b"")
    except _CannotMergeError as error:
        return Unmergeable(why=str(error))
    except RecursionError:
        return Unmergeable(why="the JSON is nested too deeply")
    except ValueError as error:  # a lone surrogate, or a number that JSON cannot hold
        return Unmergeable(why=f"the JSON cannot be written again ({error})")
    return Merged(content=content, how=_how(x_bom, a_bom))


def _load(arch: str, content: bytes) -> _Object:
    if len(content) > _LARGEST:
        raise _CannotMergeError(
            f"{arch}'s has {counted(len(content), 'byte')}, more than {_LARGEST}"
        )
    try:
        bom = load_json(content)
    except ValueError as error:
        raise _CannotMergeError(f"{arch}'s is not JSON ({error})") from None
    if not isinstance(bom, dict) or bom.get("bomFormat") != "CycloneDX":
        raise _CannotMergeError(f"{arch}'s is not CycloneDX")
    if bom.get("specVersion") not in _SPEC_VERSIONS:
        known = f"{_SPEC_VERSIONS[0]} to {_SPEC_VERSIONS[-1]}"
        raise _CannotMergeError(
            f"{arch}'s is CycloneDX {bom.get('specVersion')}; {known} can be merged"
        )
    for field in ("components", "dependencies"):
        items = bom.get(field, [])
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise _CannotMergeError(f"{arch}'s {field} are not a list of objects")
    if not isinstance(bom.get("metadata", {}), dict):
        raise _CannotMergeError(f"{arch}'s metadata is not an object")
    return cast(_Object, bom)


def _canonical(value: Any) -> str:
    """Return a text that is equal for equal values; `1` and `true` differ, unlike in Python."""
    return json.dumps(value, sort_keys=True)


# ---- one architecture's part of a merged document ----


def split_sbom(content: bytes, arch: Arch) -> bytes | None:
    """Return what a merged document says of `arch`; None where it has no component of one architecture alone.

    The components of the other architecture are left out, with what the dependencies say of them, and the property that
    told them apart. The serial number is made of the document and the architecture: it is another document.
    """
    if ARCHITECTURES_PROPERTY.encode() not in content:
        return None
    try:
        bom = _load(arch.value, content)
        components = [(component, _owner(component)) for component in bom.get("components", [])]
        if not any(owner for _, owner in components):
            return None
        gone = {
            ref
            for component, owner in components
            if owner not in (None, arch.value)
            for ref in _references(component)
        }
        split = dict(bom)
        split["components"] = [
            _without_owner(component) if owner else component
            for component, owner in components
            if owner in (None, arch.value)
        ]
        if "dependencies" in bom:
            split["dependencies"] = [
                _without_targets(dependency, gone)
                for dependency in bom["dependencies"]
                if dependency.get("ref") not in gone
            ]
        if "serialNumber" in bom:
            digest = hashlib.sha256(content).hexdigest()
            name = f"fatwheel:sbom:{arch.value}:{digest}"
            split["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, name).urn
        text = json.dumps(split, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8") + (b"\n" if content.endswith(b"\n") else b"")
    except (_CannotMergeError, RecursionError, ValueError, TypeError):
        return None  # not what `merge_sbom` wrote


def _owner(component: _Object) -> str | None:
    """Return the architecture that `merge_sbom` noted of a component."""
    properties = component.get("properties")
    last = properties[-1] if isinstance(properties, list) and properties else None
    if not isinstance(last, dict) or last.get("name") != ARCHITECTURES_PROPERTY:
        return None
    value = last.get("value")
    return value if value in {arch.value for arch in Arch} else None


def _without_owner(component: _Object) -> _Object:
    properties = component["properties"][:-1]
    if properties:
        return {**component, "properties": properties}
    return {key: value for key, value in component.items() if key != "properties"}


def _without_targets(dependency: _Object, gone: set[str]) -> _Object:
    left: _Object = {
        field: [target for target in _targets(dependency, field) if target not in gone]
        for field in ("dependsOn", "provides")
        if field in dependency
    }
    return {**dependency, **left}


# ---- scopes ----


def _with_scopes(x_bom: _Object, a_bom: _Object) -> tuple[_Object, _Object]:
    """Return both documents with one scope for the components that differ in it alone."""
    x_known, a_known = ({**_by_key(bom)} for bom in (x_bom, a_bom))
    united = {
        key: _with_scope(x_known[key], a_known[key])
        for key in x_known.keys() & a_known.keys()
        if x_known[key] != a_known[key]
        and _without_scope(x_known[key]) == _without_scope(a_known[key])
    }
    if not united:
        raise _CannotMergeError("no component differs in its scope alone")
    return tuple(  # type: ignore[return-value]
        {**bom, "components": [united.get(_component_key(c), c) for c in bom["components"]]}
        for bom in (x_bom, a_bom)
    )


def _by_key(bom: _Object) -> dict[str, _Object]:
    return {_component_key(component): component for component in bom.get("components", [])}


def _without_scope(component: _Object) -> str:
    return _canonical({name: value for name, value in component.items() if name != "scope"})


def _with_scope(x_component: _Object, a_component: _Object) -> _Object:
    scopes = [c.get("scope", _SCOPES[-1]) for c in (x_component, a_component)]
    if any(scope not in _SCOPES for scope in scopes):
        raise _CannotMergeError(f"scope is {_shown(scopes[0])} and {_shown(scopes[1])}")
    properties = a_component.get("properties", [])
    if not isinstance(properties, list):
        raise _CannotMergeError(
            f"component {_component_key(a_component)} has no list of properties"
        )
    own = {"name": SCOPE_PROPERTY, "value": f"{scopes[0]} for x86_64, {scopes[1]} for arm64"}
    return {
        **a_component,
        "scope": max(scopes, key=_SCOPES.index),
        "properties": [*properties, own],
    }


# ---- references that hold the path of the build ----


def _renamed_references(x_bom: _Object, a_bom: _Object) -> dict[str, str]:
    """Pair the references to components that differ in nothing but references."""
    x_all, a_all = _components(x_bom), _components(a_bom)
    renamed: dict[str, str] = {}
    if not _have_same_content(x_all, a_all):
        return renamed  # as nearly always, and at once
    x_known = {ref for component in x_all for ref in _references(component)}
    a_known = {ref for component in a_all for ref in _references(component)}
    x_open = _by_content(x_all, a_known)
    a_open = _by_content(a_all, x_known)
    for content, x_same in x_open.items():
        a_same = a_open.get(content, [])
        if len(x_same) == 1 and len(a_same) == 1:
            pairs = zip(_references(x_same[0]), _references(a_same[0]), strict=True)
            renamed |= {x_ref: a_ref for x_ref, a_ref in pairs if x_ref != a_ref}
    return renamed


def _have_same_content(x_all: list[_Object], a_all: list[_Object]) -> bool:
    """Tell whether components of both differ in references alone, as far as these are no other component's."""
    x_own, a_own = (
        {c["bom-ref"] for c in components if isinstance(c.get("bom-ref"), str)}
        for components in (x_all, a_all)
    )
    return not _by_content(x_all, a_own).keys().isdisjoint(_by_content(a_all, x_own))


def _components(bom: _Object) -> list[_Object]:
    main = bom.get("metadata", {}).get("component")
    return [*([main] if isinstance(main, dict) else []), *bom.get("components", [])]


def _by_content(components: list[_Object], known: set[str]) -> dict[str, list[_Object]]:
    result: dict[str, list[_Object]] = {}
    for component in components:
        ref = component.get("bom-ref")
        if isinstance(ref, str) and ref not in known:
            result.setdefault(_canonical(_without_references(component)), []).append(component)
    return result


def _references(value: Any) -> list[str]:
    """Return the `bom-ref`s of a component and of those nested in it, by sorted keys."""
    if isinstance(value, list):
        return [ref for item in value for ref in _references(item)]
    if not isinstance(value, dict):
        return []
    own = value.get("bom-ref")
    nested = [ref for key in sorted(value) for ref in _references(value[key])]
    return [own, *nested] if isinstance(own, str) else nested


def _without_references(value: Any) -> Any:
    """Return the component with nothing in place of its `bom-ref`s, and of those nested in it."""
    if isinstance(value, list):
        return [_without_references(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: None if key == "bom-ref" and isinstance(item, str) else _without_references(item)
        for key, item in value.items()
    }


def _rename(value: Any, renamed: dict[str, str], *, reference: bool = False) -> Any:
    """Return the document with references replaced wherever the specification has one."""
    if not renamed:
        return value
    if isinstance(value, dict):
        return {
            key: _rename(item, renamed, reference=key in _REFERENCES) for key, item in value.items()
        }
    if isinstance(value, list):
        return [_rename(item, renamed, reference=reference) for item in value]
    return renamed.get(value, value) if reference and isinstance(value, str) else value


# ---- what must be equal ----


def _require_equal_rest(x_bom: _Object, a_bom: _Object) -> None:
    free = {"serialNumber", "metadata", "components", "dependencies"}
    _require_equal("", *({k: v for k, v in bom.items() if k not in free} for bom in (x_bom, a_bom)))
    metadata = [bom.get("metadata", {}) for bom in (x_bom, a_bom)]
    _require_equal(
        "metadata", *({k: v for k, v in m.items() if k != "timestamp"} for m in metadata)
    )


def _require_equal(path: str, x_value: Any, a_value: Any) -> None:
    """Raise with the path and the values of the first difference, if there is one."""
    if not _are_same(x_value, a_value):
        _refuse_difference(path, x_value, a_value)


def _refuse_difference(path: str, x_value: Any, a_value: Any) -> None:
    if isinstance(x_value, dict) and isinstance(a_value, dict):
        for key in sorted({*x_value, *a_value}):
            _refuse_difference(
                f"{path}.{key}".lstrip("."), x_value.get(key, _ABSENT), a_value.get(key, _ABSENT)
            )
    elif isinstance(x_value, list) and isinstance(a_value, list) and len(x_value) == len(a_value):
        for index, (x_item, a_item) in enumerate(zip(x_value, a_value, strict=True)):
            _refuse_difference(f"{path}[{index}]", x_item, a_item)
    elif type(x_value) is not type(a_value) or x_value != a_value:
        raise _CannotMergeError(
            f"{path} is {_shown(x_value)} for x86_64 and {_shown(a_value)} for arm64"
        )


def _are_same(x_value: Any, a_value: Any) -> bool:
    """Tell whether two values are equal for JSON, which takes neither 1 for `true` nor 1.0 for 1."""
    kind = type(x_value)
    if kind is not type(a_value):
        return False
    if kind is dict:
        return x_value.keys() == a_value.keys() and all(
            _are_same(value, a_value[key]) for key, value in x_value.items()
        )
    if kind is list:
        return len(x_value) == len(a_value) and all(map(_are_same, x_value, a_value))
    return bool(x_value == a_value)


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "not there"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:120] + "…"


# ---- the union ----


def _merge(x_bom: _Object, a_bom: _Object) -> _Object:
    merged = dict(a_bom)
    timestamps = [bom.get("metadata", {}).get("timestamp") for bom in (a_bom, x_bom)]
    present = [text for text in timestamps if text is not None]
    if present:
        merged["metadata"] = {**a_bom.get("metadata", {}), "timestamp": max(present, key=_instant)}
    for field, unite in (("components", _unite_components), ("dependencies", _unite_dependencies)):
        if field in {*x_bom, *a_bom}:
            merged[field] = unite(x_bom.get(field, []), a_bom.get(field, []))
    return merged


def _instant(timestamp: Any) -> tuple[datetime, str]:
    """Return an RFC 3339 time as (UTC to the second, digits of the fraction): sorts by time."""
    match = _TIMESTAMP.fullmatch(timestamp) if isinstance(timestamp, str) else None
    try:
        if match is None:
            raise ValueError("not RFC 3339")
        day, time, fraction, zulu, offset = match.groups()
        moment = datetime.fromisoformat(f"{day}T{time}{'+00:00' if zulu else offset}")
        return moment.astimezone(timezone.utc), (fraction or "").rstrip("0")
    except (ValueError, OverflowError):
        raise _CannotMergeError(f"metadata.timestamp {_shown(timestamp)} is no time") from None


def _serial_number(x86_64: bytes, arm64: bytes) -> str:
    hashes = ":".join(hashlib.sha256(content).hexdigest() for content in (x86_64, arm64))
    return uuid.uuid5(uuid.NAMESPACE_URL, f"fatwheel:sbom:{hashes}").urn


def _unite_components(x_items: list[_Object], a_items: list[_Object]) -> list[_Object]:
    x_known = _keyed("x86_64", "component", x_items, _component_key)
    a_known = _keyed("arm64", "component", a_items, _component_key)
    united = []
    for key in _united_keys(list(x_known), list(a_known)):
        component = a_known[key] if key in a_known else x_known[key]
        if key in x_known and key in a_known:
            _require_equal(f"component {key}", x_known[key], component)
        else:
            component = _belonging(component, "arm64" if key in a_known else "x86_64")
        united.append(component)
    return united


def _belonging(component: _Object, arch: str) -> _Object:
    properties = component.get("properties", [])
    if not isinstance(properties, list):
        raise _CannotMergeError(f"component {_component_key(component)} has no list of properties")
    own = {"name": ARCHITECTURES_PROPERTY, "value": arch}
    return {**component, "properties": [*properties, own]}


def _unite_dependencies(x_items: list[_Object], a_items: list[_Object]) -> list[_Object]:
    x_known = _keyed("x86_64", "dependency", x_items, _dependency_key)
    a_known = _keyed("arm64", "dependency", a_items, _dependency_key)
    united = []
    for key in _united_keys(list(x_known), list(a_known)):
        x_item, a_item = x_known.get(key), a_known.get(key)
        if x_item is None or a_item is None:
            united.append(a_item or x_item or {})
            continue
        lists = [f for f in ("dependsOn", "provides") if f in x_item or f in a_item]
        rest = [{k: v for k, v in item.items() if k not in lists} for item in (x_item, a_item)]
        _require_equal(f"dependency {key}", *rest)
        targets: _Object = {
            field: _united_keys(_targets(x_item, field), _targets(a_item, field)) for field in lists
        }
        united.append({**a_item, **targets})
    return united


def _targets(dependency: _Object, field: str) -> list[str]:
    targets = dependency.get(field, [])
    if not isinstance(targets, list) or not {str}.issuperset(map(type, targets)):
        raise _CannotMergeError(
            f"dependency {_dependency_key(dependency)}: {field} is no list of references"
        )
    return targets


def _component_key(component: _Object) -> str:
    for field in ("bom-ref", "purl"):
        if isinstance(component.get(field), str):
            return cast(str, component[field])
    return _canonical(component)


def _dependency_key(dependency: _Object) -> str:
    ref = dependency.get("ref")
    if not isinstance(ref, str):
        raise _CannotMergeError("a dependency has no ref")
    return ref


def _keyed(
    arch: str, kind: str, items: list[_Object], key: Callable[[_Object], str]
) -> dict[str, _Object]:
    known: dict[str, _Object] = {}
    for item in items:
        if (own := key(item)) in known:
            raise _CannotMergeError(f"{arch}'s has the {kind} {_shown(own)} twice")
        known[own] = item
    return known


def _united_keys(x_keys: list[str], a_keys: list[str]) -> list[str]:
    """Return both: sorted where both are, else arm64's order and the others behind."""
    if x_keys == a_keys:
        return list(dict.fromkeys(a_keys))
    united = list(dict.fromkeys([*a_keys, *x_keys]))
    both_sorted = x_keys == sorted(x_keys) and a_keys == sorted(a_keys)
    return sorted(united) if both_sorted else united


def _how(x_bom: _Object, a_bom: _Object) -> str:
    x_keys = {_component_key(component) for component in x_bom.get("components", [])}
    a_keys = {_component_key(component) for component in a_bom.get("components", [])}
    if x_keys == a_keys:
        return f"the same {len(a_keys)} components"
    alone = [
        f"{len(keys)} of {arch} alone"
        for arch, keys in (("x86_64", x_keys - a_keys), ("arm64", a_keys - x_keys))
        if keys
    ]
    return f"union of {len(x_keys)} and {len(a_keys)} components, {' and '.join(alone)}"
