"""What operators are called in the library that people come from, to suggest the operator for such a name.

In: a name that no operator has. Out: the operator that it means. Always: the names are those that a backend has; since nothing here knows
of backends, the public API registers where to ask (`source`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from ..ops.base import Operator

Names = Mapping[type[Operator], str]
_SOURCES: list[Callable[[], Names]] = []


def source(names: Callable[[], Names]) -> None:
    """Registers a function that gives the names of operators, such as `torch.nn.Conv1d, torch.nn.Conv2d`; called when one is needed."""
    _SOURCES.append(names)


def meant_by(name: str) -> str:
    """The operator that is called so elsewhere; empty if there is none."""
    return _operators().get(plain(name), "")


@cache
def _operators() -> dict[str, str]:
    """The operator for each name, in lower case: `linear` is `dense`."""
    found: dict[str, str] = {}
    for names in _SOURCES:
        for operator, paths in names().items():
            for path in paths.split(","):
                words = path.strip().split(".")
                if len(words) > 1 and all(word.isidentifier() for word in words):
                    found[plain(words[-1])] = operator.name
    return found


def plain(name: str) -> str:
    """A name without what differs between styles of writing it: `conv2d`, `Conv2d`, `max_pool`, `MaxPool1d`."""
    word = name.lower().replace("_", "")
    return word[:-2] if word.endswith(("1d", "2d", "3d")) else word
