"""The declaration of an operator's arguments: `units = Arg(SIZE, positional=True)`.

>>> from .convolution import Conv
>>> list(Conv.signature)[:3], Conv.signature["stride"].default, Conv.signature["channels"].positional
(['channels', 'kernel', 'stride'], 1, True)
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from netc.dsl.record import Record

from .kinds import Kind

_NONE = (None, False, 0, "valid")
"""The values of an argument that switch it off: no padding, no limit."""

T = TypeVar("T")


class UnusedArgument(Record):
    """The reason why an argument has no effect, and the arguments that cause it, if any do."""

    why: str
    decided_by: tuple[str, ...] = ()


class Required:
    """The default of an argument that must be given."""

    def __repr__(self) -> str:
        return "(required)"


REQUIRED = Required()


class Arg(Generic[T]):
    """A declared argument of an operator. On an instance, the attribute is the checked value.

    `kind` checks and converts values. Positional arguments are taken in the order of declaration. Arguments that are `last` are listed
    after the operator's own. `only_with` names other arguments: if one of them is none, false or 0, this argument has no effect.
    """

    name: str

    def __init__(
        self,
        kind: Kind[T],
        *,
        default: T | Required | None = REQUIRED,
        positional: bool = False,
        alias: str = "",
        last: bool = False,
        only_with: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.default = default
        self.positional = positional
        self.alias = alias
        self.last = last
        self.only_with = only_with

    def __set_name__(self, owner: Any, name: str) -> None:
        # `lambda_` would declare the argument `lambda`, which Python cannot have as an attribute.
        self.name = name.rstrip("_")
        owner.signature = {**owner.signature, self.name: self}

    def is_none(self, value: object) -> bool:
        """Whether the value switches the argument off: no padding, no limit."""
        return all(n in _NONE for n in value) if isinstance(value, tuple) else value in _NONE

    @overload
    def __get__(self, instance: None, owner: type) -> Arg[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Arg[T] | T:
        if instance is None:
            return self
        value: T = instance.args[self.name]  # type: ignore[attr-defined]
        return value
