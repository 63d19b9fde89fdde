"""Frozen records whose classes are cheap to create.

A `Record` subclass behaves as `@dataclass(frozen=True, slots=True)` does: fields from its annotations, in order, with defaults;
equality and hash by value; positional patterns in `match`. `dataclass` compiles several functions for every class, about a
millisecond each on the machine of the benchmark, and netc declares hundreds of small classes that a run of `netc check` must import;
this metaclass compiles one function for each number of fields, and makes the `__init__` of a class for its first instance. Type checkers
see it as a dataclass (PEP 681).

    >>> class Point(Record):
    ...     x: "int"
    ...     y: "int" = 0
    >>> Point(1), replace(Point(1), y=2), Point(1) == Point(1, 0)
    (Point(x=1, y=0), Point(x=1, y=2), True)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from types import CellType, CodeType, FunctionType
from typing import Any, ClassVar, TypeVar, dataclass_transform

R = TypeVar("R", bound="Record")


@dataclass_transform(frozen_default=True, eq_default=True)
class RecordMeta(type):
    """Turns the annotations of a class into slots and `__match_args__`."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> RecordMeta:
        inherited: tuple[str, ...] = ()
        defaults: dict[str, Any] = {}
        for base in bases:
            inherited += tuple([n for n in getattr(base, "__match_args__", ()) if n not in inherited])
            defaults |= getattr(base, "_defaults", {})
        declared = []
        for field, annotation in namespace.get("__annotations__", {}).items():
            if "ClassVar" in str(annotation):
                continue
            if field in namespace:
                defaults[field] = namespace.pop(field)
            if field not in inherited:
                declared.append(field)
        fields = inherited + tuple(declared)
        namespace["__slots__"] = tuple(declared)
        namespace["__match_args__"] = fields
        namespace["_defaults"] = defaults
        namespace["_setters"] = namespace["_read"] = None
        if "__init__" in namespace:
            cls = super().__new__(mcls, name, bases, namespace)
            _make_accessors(cls)
            return cls
        default_values = tuple([defaults[field] for field in fields if field in defaults])
        if default_values and any(field in defaults for field in fields[: len(fields) - len(default_values)]):
            raise TypeError(f"{name}: a field without a default follows one that has one")

        # Most classes, such as errors, never have an instance. The first one replaces this `__init__`, so that later ones pay nothing for
        # it, unlike for a check in every `__init__`. It is in the namespace before the class is made: to set it later takes longer.
        def initialize_first(self: Any, *args: Any, **kwargs: Any) -> None:
            _make_accessors(cls)
            cls.__init__ = _make_initializer(cls, default_values)  # type: ignore[misc]
            cls.__init__(self, *args, **kwargs)  # type: ignore[misc]

        namespace["__init__"] = initialize_first
        cls = super().__new__(mcls, name, bases, namespace)
        return cls


def _make_accessors(cls: Any) -> None:
    """Give a class what reads and writes all of its fields at once."""
    fields = cls.__match_args__
    # The slots' own setters: what `object.__setattr__` would look up by name for every field of every instance.
    cls._setters = tuple([getattr(cls, field).__set__ for field in fields])
    cls._read = attrgetter(*fields) if len(fields) > 1 else None


def _make_initializer(cls: Any, default_values: tuple[Any, ...]) -> FunctionType:
    """Make an `__init__` with the fields as its arguments; `default_values` belong to the last of them.

    The code exists once for each number of fields; only the names of its arguments are replaced.
    """
    code = _compile_initializer(len(cls._setters)).replace(co_varnames=("self", *cls.__match_args__))
    function = FunctionType(code, {}, "__init__", default_values, tuple(map(CellType, cls._setters)) or None)
    function.__qualname__ = f"{cls.__qualname__}.__init__"
    return function


@cache
def _compile_initializer(count: int) -> CodeType:
    """The code of an `__init__` that calls `count` setters."""
    setters = [f"p{n:02}" for n in range(count)]  # in the order of the code's free variables, which is alphabetical
    outer = f"def outer({', '.join(setters)}):"
    inner = f" def init({', '.join(['self', *(f'a{put}' for put in setters)])}):"
    lines = [f"  {put}(self, a{put})" for put in setters] or ["  pass"]
    namespace: dict[str, Any] = {}
    exec("\n".join([outer, inner, *lines, " return init"]), namespace)
    code: CodeType = namespace["outer"](*setters).__code__
    return code


class Record(metaclass=RecordMeta):
    """A frozen value: see the module's docstring."""

    __match_args__: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]
    _setters: ClassVar[tuple[Callable[[Any, Any], None], ...] | None]
    """Set the fields, in their order; None before the first instance."""
    _read: ClassVar[Callable[[Any], tuple[Any, ...]] | None]
    """The values of all fields at once; None before the first instance, and for fewer than two fields, of which `attrgetter` makes no
    tuple."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name}")

    def _field_values(self) -> tuple[Any, ...]:
        read = type(self)._read
        return read(self) if read is not None else tuple([getattr(self, f) for f in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            # Records of different classes are never equal, even with equal fields: a node's class is part of what it says.
            return NotImplemented
        return self._field_values() == other._field_values()

    def __hash__(self) -> int:
        return hash((type(self), self._field_values()))

    def __repr__(self) -> str:
        inside = ", ".join(f"{f}={getattr(self, f)!r}" for f in self.__match_args__)
        return f"{type(self).__name__}({inside})"

    def __getstate__(self) -> tuple[Any, ...]:
        return self._field_values()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        # `__setattr__` refuses, so unpickling needs the slots' own setters. It may make the first instance, and calls no `__init__`.
        if self._setters is None:
            _make_accessors(type(self))
        for put, value in zip(self._setters or (), state, strict=True):
            put(self, value)


def replace(record: R, **changes: Any) -> R:
    """A copy of `record` with some fields changed."""
    values = [changes.pop(f) if f in changes else getattr(record, f) for f in record.__match_args__]
    return type(record)(*values, **changes)
