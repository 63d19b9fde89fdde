"""Frozen records whose classes are cheap to create.

A `Record` subclass behaves as `@dataclass(frozen=True, slots=True)` does: fields from its annotations, in order, with defaults;
equality and hash by value; positional patterns in `match`. `dataclass` compiles several functions for every class, about a
millisecond each on the machine of the benchmark, and netc declares hundreds of small classes that a run of `netc check` must import;
this metaclass compiles nothing. Type checkers see it as a dataclass (PEP 681).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar, TypeVar, dataclass_transform

R = TypeVar("R", bound="Record")


def _is_class_variable(annotation: object) -> bool:
    return "ClassVar" in str(annotation)


@dataclass_transform(frozen_default=True, eq_default=True)
class RecordMeta(type):
    """Turns the annotations of a class into slots and `__match_args__`."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> RecordMeta:
        own = [n for n, a in namespace.get("__annotations__", {}).items() if not _is_class_variable(a)]
        defaults: dict[str, Any] = {}
        inherited: tuple[str, ...] = ()
        for base in bases:
            inherited += tuple(n for n in getattr(base, "__match_args__", ()) if n not in inherited)
            defaults.update(getattr(base, "_defaults", {}))
        for field in own:
            if field in namespace:
                defaults[field] = namespace.pop(field)
        namespace["__slots__"] = tuple(n for n in own if n not in inherited)
        namespace["__match_args__"] = inherited + namespace["__slots__"]
        namespace["_defaults"] = defaults
        made = super().__new__(mcls, name, bases, namespace)
        # the slots' own setters: what `object.__setattr__` would look up by name for every field of every instance
        fields = namespace["__match_args__"]
        made._setters = tuple(getattr(made, field).__set__ for field in fields)  # type: ignore[attr-defined]
        made._read = attrgetter(*fields) if len(fields) > 1 else None  # type: ignore[attr-defined]
        required = max((at + 1 for at, field in enumerate(fields) if field not in defaults), default=0)
        made._required, made._usual = required, tuple(defaults.get(field) for field in fields)  # type: ignore[attr-defined]
        return made


class Record(metaclass=RecordMeta):
    """A frozen value: see the module's docstring."""

    __match_args__: ClassVar[tuple[str, ...]]
    _defaults: ClassVar[dict[str, Any]]
    _setters: ClassVar[tuple[Callable[[Any, Any], None], ...]]
    _read: ClassVar[Callable[[Any], tuple[Any, ...]] | None]
    """The values of all fields at once; None for fewer than two fields, of which `attrgetter` makes no tuple."""
    _required: ClassVar[int]
    """The number of fields up to the last one without a default."""
    _usual: ClassVar[tuple[Any, ...]]
    """The defaults of all fields, None for those without."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        setters = self._setters
        if kwargs:
            args = self._complete(args, kwargs)
        elif len(args) != len(setters):
            args = args + self._usual[len(args) :] if self._required <= len(args) < len(setters) else self._complete(args, kwargs)
        for put, value in zip(setters, args):  # noqa: B905  (as many; every record is made here)
            put(self, value)

    @classmethod
    def _complete(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The values of all fields: as given by position or name, or their defaults."""
        fields = cls.__match_args__
        if len(args) > len(fields):
            raise TypeError(f"{cls.__name__} takes {len(fields)} fields, got {len(args)}")
        values = list(args)
        for field in fields[len(args) :]:
            if field in kwargs:
                values.append(kwargs.pop(field))
            elif field in cls._defaults:
                values.append(cls._defaults[field])
            else:
                raise TypeError(f"{cls.__name__} is missing the field {field}")
        if kwargs:
            raise TypeError(f"{cls.__name__} has no field {next(iter(kwargs))} (or it was given twice)")
        return tuple(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot set {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete {name}")

    def _values(self) -> tuple[Any, ...]:
        read = type(self)._read
        return read(self) if read is not None else tuple(getattr(self, f) for f in self.__match_args__)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        inside = ", ".join(f"{f}={getattr(self, f)!r}" for f in self.__match_args__)
        return f"{type(self).__name__}({inside})"

    def __getstate__(self) -> tuple[Any, ...]:
        return self._values()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for put, value in zip(self._setters, state, strict=True):
            put(self, value)


def replace(record: R, **changes: Any) -> R:
    """A copy of `record` with some fields changed."""
    values = [changes.pop(f) if f in changes else getattr(record, f) for f in record.__match_args__]
    return type(record)(*values, **changes)
