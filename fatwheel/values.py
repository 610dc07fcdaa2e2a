"""Values: dataclasses whose making costs little.

`dataclasses` writes and compiles every method of every class: half a millisecond for a frozen one, and a fuse
has sixty. Here only `__init__` is made so; the other methods are the same functions for all classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[T], T]:
        """Do nothing: it tells type checkers what the decorator does."""
        return lambda decorator: decorator


__all__ = ["valueclass"]

T = TypeVar("T")


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,)
)
def valueclass(cls: type[T]) -> type[T]:
    """Make `cls` a dataclass with slots, whose fields are given by name: `field`, `replace` and `asdict` work on it.

    Two of one class with equal fields are equal and have one hash. That its fields are not assigned to again is
    checked by the type checker alone, so that instances, of which a large wheel has 100,000, cost little, too.
    """
    made: Any = dataclasses.dataclass(eq=False, repr=False, kw_only=True, slots=True)(cls)
    made.__eq__, made.__hash__ = _eq, _hash
    if "__repr__" not in cls.__dict__:
        made.__repr__ = _repr
    return made  # type: ignore[no-any-return]


def _fields(self: Any) -> tuple[object, ...]:
    return tuple([getattr(self, name) for name in self.__dataclass_fields__])


def _eq(self: object, other: object) -> object:
    if type(self) is type(other):
        return self is other or _fields(self) == _fields(other)
    return NotImplemented


def _hash(self: object) -> int:
    return hash(_fields(self))


def _repr(self: Any) -> str:
    fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({fields})"
