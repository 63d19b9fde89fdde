"""The declaration of an operator's arguments: `units = Arg(SIZE, positional=True)`."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from .kinds import Kind

T = TypeVar("T")


class Required:
    """The default of an argument that must be given."""

    def __repr__(self) -> str:
        return "(required)"


REQUIRED = Required()


class Arg(Generic[T]):
    """A declared argument of an operator. On an instance, the attribute is the checked value.

    `kind` says which values are allowed and converts them. Positional arguments are taken in the order of declaration. Those that
    are `last` are listed after the operator's own.
    """

    name: str

    def __init__(
        self, kind: Kind[T], *, default: T | Required | None = REQUIRED, positional: bool = False, alias: str = "", last: bool = False
    ) -> None:
        self.kind = kind
        self.default = default
        self.positional = positional
        self.alias = alias
        self.last = last

    def __set_name__(self, owner: Any, name: str) -> None:
        self.name = name.rstrip("_")
        owner.signature = {**owner.signature, self.name: self}

    @overload
    def __get__(self, instance: None, owner: type) -> Arg[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Arg[T] | T:
        if instance is None:
            return self
        value: T = instance.args[self.name]  # type: ignore[attr-defined]
        return value
