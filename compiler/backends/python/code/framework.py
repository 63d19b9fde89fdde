"""What the writer of Python must know of the framework that the source is for.

In: nothing; a backend provides its `Framework`. Out: names that are taken, words for types and sizes, and how containers of modules are
made. Always: plain data and code; nothing here imports a framework.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from keyword import iskeyword

from netc.dsl.record import Record

from .. import identifiers
from .python_expressions import Code

Pairs = Sequence[tuple[str, Code]]
"""Members with their keys."""


class Containers(Record):
    """Modules that contain others. `row`: the class that calls its members one after the other; `named`: the same with a key for each
    member; `listed` and `keyed`: those that `forward` takes them from, by number or by key; `parameters`: that of parameters by key."""

    row: str
    named: Callable[[Pairs], Code]
    listed: Callable[[tuple[Code, ...]], Code]
    keyed: Callable[[Pairs], Code]
    parameters: Callable[[Pairs], Code]


class Widths(Record):
    """What the framework calls numbers of channels and features. `words` are those that say of an argument that it is one."""

    words: re.Pattern[str]
    in_channels: str
    in_features: str
    out_channels: str
    out_features: str


class Framework(Record):
    """`method`: the method that computes; `tensor` and `module`: annotations of what it takes; `shape`: the text of a tensor's shape;
    `training`: whether a module is in training.

    `imported`: the names that an emitted file may import; no variable has them. `attributes`: those that every module has, and
    `container_attributes`: those that containers have in addition; no member has them. `definitions`: what emitted files define for
    themselves, by name. `by_path` and `by_label`: how a module reaches another, or a parameter, in it that is no attribute: one that is
    several levels below, or has a label that is no identifier. `drops`: the functions and modules that take probabilities; `idle`: the
    modules that do nothing if their only argument is 0, and `identity` the one
    that never does anything. `unstacked`: what a tensor is at each position of an axis, to be iterated over;
    `stacked`: the tensor made of a list of those.
    """

    imported: frozenset[str]
    attributes: frozenset[str]
    container_attributes: frozenset[str]
    definitions: Mapping[str, str]
    method: str
    tensor: str
    module: str
    shape: str
    training: str
    containers: Containers
    by_path: Callable[[Code, str], Code]
    by_label: Callable[[Code, str], Code]
    widths: Widths
    drops: re.Pattern[str]
    idle: re.Pattern[str]
    identity: str
    unstacked: Callable[[Code, int], Code]
    stacked: Callable[[Code, int], Code]

    def local(self, name: str) -> str:
        """`name` as a variable."""
        return identifiers.local(name, self.imported)

    def plain(self, label: str) -> bool:
        """Whether `self.<label> = ...` can be used to register a member."""
        return label.isidentifier() and not iskeyword(label) and not label.startswith("__") and label not in self.attributes

    def is_key(self, label: str) -> bool:
        """Whether a container with keys can have a member with the label."""
        taken = label.startswith("__") or label in self.attributes or label in self.container_attributes
        return not taken and "." not in label
