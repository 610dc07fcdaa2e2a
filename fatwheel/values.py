"""Values: dataclasses whose making costs little.

`dataclasses` writes and compiles every method of every class: half a millisecond for a frozen one, and a fuse
has ninety. Here only `__init__` is compiled, once for all classes with as many fields; the other methods are the same
functions for all classes, and what `dataclasses` knows of a class is made when something asks for it.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Mapping
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Callable[[T], T]:
        """Do nothing: it tells type checkers what the decorator does."""
        return lambda decorator: decorator


__all__ = ["valueclass"]

T = TypeVar("T")
_OF_THE_UNSLOTTED = ("__dict__", "__weakref__")
_making = threading.Lock()


class _Ungiven:
    """Stands for the default of a field whose default is made anew each time."""

    def __repr__(self) -> str:
        """Return what signatures show, as those of dataclasses do."""
        return "<factory>"


_UNGIVEN = _Ungiven()


@dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(dataclasses.field,)
)
def valueclass(cls: type[T]) -> type[T]:
    """Make `cls` a dataclass with slots, whose fields are given by name: `field`, `replace` and `asdict` work on it.

    Two of one class with equal fields are equal and have one hash. That its fields are not assigned to again is
    checked by the type checker alone, so that instances, of which a large wheel has 100,000, cost little, too.

    Raises `TypeError` for one that inherits from another, and for a default within `field`.
    """
    if any("__value_names__" in base.__dict__ for base in cls.__mro__):
        raise TypeError(
            f"{cls.__qualname__} inherits from another value class; fields are not inherited"
        )
    own = {name: value for name, value in cls.__dict__.items() if name not in _OF_THE_UNSLOTTED}
    defaults = {name: own.pop(name) for name in cls.__annotations__ if name in own}
    own |= {
        "__slots__": tuple(cls.__annotations__),
        "__match_args__": (),
        "__value_names__": tuple(cls.__annotations__),
        "__dataclass_fields__": _Fields(cls),
        "__init__": _init(cls, defaults),
        "__eq__": _eq,
        "__hash__": _hash,
        "__reduce__": _reduce,
    }
    own.setdefault("__repr__", _repr)
    metaclass: Any = type(cls)
    made = metaclass(cls.__name__, cls.__bases__, own)
    made.__qualname__ = cls.__qualname__
    return made  # type: ignore[no-any-return]


class _Fields:
    """What `dataclasses` knows of a class: made when something asks for it, of the class or of an instance."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls  # as it was before it had slots

    def __get__(self, _instance: object, _owner: object) -> dict[str, dataclasses.Field[Any]]:
        with _making:  # `dataclass` fails where another thread changes the class meanwhile
            if "__dataclass_fields__" not in self.cls.__dict__:
                dataclasses.dataclass(init=False, eq=False, repr=False, kw_only=True)(self.cls)
        found: dict[str, dataclasses.Field[Any]] = self.cls.__dict__["__dataclass_fields__"]
        return found


def _init(cls: Any, defaults: Mapping[str, Any]) -> Callable[..., None]:
    """Return the `__init__` of `cls`, which sets each field to what is given, or else to its default."""
    fields = tuple(cls.__annotations__)
    given, factories = dict(defaults), {}
    for place, name in enumerate(fields):
        if isinstance(default := defaults.get(name), dataclasses.Field):
            if default.default_factory is dataclasses.MISSING:
                raise TypeError(f"{cls.__qualname__}.{name}: write the default without field()")
            given[name], factories[f"new_{place}"] = _UNGIVEN, default.default_factory
    code = _code(tuple(f"new_{place}" in factories for place in range(len(fields))))
    own = {f"field_{place}": name for place, name in enumerate(fields)}
    code = code.replace(
        co_varnames=("self", *fields), co_names=tuple(own.get(name, name) for name in code.co_names)
    )
    made: Any = FunctionType(code, {"ungiven": _UNGIVEN, **factories})
    made.__kwdefaults__ = given
    made.__qualname__, made.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    made.__annotations__ = {**cls.__annotations__, "return": None}
    return made  # type: ignore[no-any-return]


@functools.cache
def _code(anew: tuple[bool, ...]) -> CodeType:
    """Return the code of an `__init__`, whose fields are called field_0, field_1, ...; `anew` are those with factories.

    To compile it would be most of what a class costs, and a hundred classes have twenty such codes.
    """
    parameters, lines = ["self", "*"] if anew else ["self"], ["pass"]
    for place, made in enumerate(anew):
        name = f"field_{place}"
        parameters.append(name)
        value = f"new_{place}() if {name} is ungiven else {name}" if made else name
        lines.append(f"self.{name} = {value}")
    names: dict[str, Any] = {}
    exec(f"def __init__({', '.join(parameters)}):\n  " + "\n  ".join(lines), names)  # noqa: S102
    code: CodeType = names["__init__"].__code__
    return code


def _fields(self: Any) -> tuple[object, ...]:
    return tuple([getattr(self, name) for name in self.__value_names__])


def _eq(self: object, other: object) -> object:
    if type(self) is type(other):
        return self is other or _fields(self) == _fields(other)
    return NotImplemented


def _hash(self: object) -> int:
    return hash(_fields(self))


def _reduce(self: Any) -> tuple[Any, ...]:
    """Travel between processes as class and fields, in a third of the time that pickle takes by itself."""
    return _remade, (type(self), _fields(self))


def _remade(cls: Any, fields: tuple[object, ...]) -> object:
    return cls(**dict(zip(cls.__value_names__, fields, strict=True)))


def _repr(self: Any) -> str:
    fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__value_names__)
    return f"{type(self).__qualname__}({fields})"
