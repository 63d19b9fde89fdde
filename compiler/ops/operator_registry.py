"""The operators by name. An operator's module is imported only when its class is needed, so that `netc check` loads few of them.

In: the families, which are modules of this package, with the names of their operators; and classes, as they are defined. Out: the class for
a name. Always: asking whether a name exists, or for all names, imports nothing. Names are in the order of the families; the operators of
plugins come last.

    >>> from .operator import Operator
    >>> "conv" in Operator.registry, Operator.registry["conv"].__name__
    (True, 'Conv')
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


class Registry(Mapping[str, type[T]]):
    """The operators by name. `T` is the base of all operators."""

    def __init__(self, families: Mapping[str, str]) -> None:
        self._homes = {name: f"{__package__}.{family}" for family, names in families.items() for name in names.split()}
        """The modules of all operators by name, also of operators that are not imported yet."""
        self._defined: dict[str, type[T]] = {}

    def __getitem__(self, name: str) -> type[T]:
        if name not in self._defined:
            # The module's classes add themselves while it is imported.
            import_module(self._homes[name])
        return self._defined[name]

    def __contains__(self, name: object) -> bool:
        return name in self._homes or name in self._defined

    def __iter__(self) -> Iterator[str]:
        yield from self._homes
        yield from [name for name in self._defined if name not in self._homes]

    def __len__(self) -> int:
        return len(self._homes.keys() | self._defined.keys())

    def add(self, name: str, operator: type[T]) -> None:
        """Add a class; each class does so when it is defined. A ValueError if another operator has the name."""
        if name in self._defined or self._homes.get(name, operator.__module__) != operator.__module__:
            raise ValueError(f"two operators are called {name}")
        self._defined[name] = operator

    def remove(self, name: str) -> None:
        """Remove an operator of a plugin."""
        del self._defined[name]
