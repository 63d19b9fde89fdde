"""The operators by name. An operator's module is imported only when its class is needed, so that `netc check` loads few of them.

In: the families, which are modules of this package, with the names of their operators; and classes, as they are defined. Out: the class for
a name. Always: asking whether a name exists, or for all names, imports nothing. Names are in the order of the families; the operators of
plugins come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


class Registry(Mapping[str, type[T]]):
    """See the module's docstring. `T` is what all operators are."""

    def __init__(self, families: Mapping[str, str]) -> None:
        self._homes = {name: f"{__package__}.{family}" for family, names in families.items() for name in names.split()}
        """The modules of operators by name, those that are not imported yet included."""
        self._defined: dict[str, type[T]] = {}

    def __getitem__(self, name: str) -> type[T]:
        if name not in self._defined:
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
        """What a class does when it is defined. A ValueError if its name is another one's."""
        if name in self._defined or self._homes.get(name, operator.__module__) != operator.__module__:
            raise ValueError(f"two operators are called {name}")
        self._defined[name] = operator

    def remove(self, name: str) -> None:
        """Forgets an operator of a plugin."""
        del self._defined[name]
