"""Nests members whose labels have several levels, such as `resnets.0`: a list or a dictionary of modules for each level.

In: the members of a body. Out: the members that the constructor makes, and for each nested label the code that accesses it:
`self.resnets[0]`. Always: the keys of the state dict are the labels. A level numbered 0, 1, 2, ... in the order of its members is a list.
A level with only parameters is a dictionary of parameters. A dictionary of modules refuses other parameters, and keys that are its own
attributes: such a member keeps its full label and comes after the others.
"""

from __future__ import annotations

from ....ir.graph import Node
from ..code.class_tree import MemberRef, NameCode
from ..code.classes import Member
from ..code.framework import Framework
from ..code.python_expressions import Code, Subscript
from ..identifiers import are_consecutive
from ..printing.python_printer import format_literal
from .containers import merge_runs


def nest_labels(members: list[Member], nodes: dict[str, Node], framework: Framework) -> tuple[list[Member], dict[str, Code]]:
    """Return the members by their first levels, and the access to each label. `nodes`: by label, the member's node."""
    fold = _LabelNesting(nodes, framework)
    nested: list[Member] = []
    for label, inside in _group_by_level(members, 0).items():
        if inside[0].label == label:
            nested += inside
        else:
            nested.append(Member(label, "module", fold.make_container(label, inside, MemberRef(label))))
    return [*nested, *fold.remaining], fold.accesses


def _group_by_level(members: list[Member], start: int) -> dict[str, list[Member]]:
    """Group the members by the next level of their labels, which begins at `start`."""
    held: dict[str, list[Member]] = {}
    for member in members:
        held.setdefault(member.label[start:].split(".")[0], []).append(member)
    return held


class _LabelNesting:
    def __init__(self, nodes: dict[str, Node], framework: Framework) -> None:
        self.nodes, self.framework = nodes, framework
        self.accesses: dict[str, Code] = {}
        self.remaining: list[Member] = []

    def make_container(self, prefix: str, members: list[Member], access: Code) -> Code:
        """Make the container of the members whose labels begin with `prefix`. It is accessed by `access`."""
        held = _group_by_level(members, len(prefix) + 1)
        if all(m.kind == "parameter" and m.label == f"{prefix}.{key}" and self.framework.is_key(key) for key, (m, *_) in held.items()):
            return self._make_parameter_container(prefix, members, access)
        listed = are_consecutive(held) and all(m.kind == "module" for m in members)
        codes: dict[str, Code] = {}
        for key, inside in held.items():
            label = f"{prefix}.{key}"
            here = Subscript(access, (NameCode(key if listed else format_literal(key)),))
            alone = inside[0].label == label
            if alone and (inside[0].kind != "module" or not self.framework.is_key(key)):
                self.remaining += inside
            elif alone:
                codes[key], self.accesses[label] = inside[0].code, here
            elif self.framework.is_key(key):
                codes[key] = self.make_container(label, inside, here)
            else:
                self._add_apart(label, inside)
        if not listed:
            return self.framework.containers.keyed(list(codes.items()))
        return self.framework.containers.listed(merge_runs(list(codes.values()), [self.nodes[m[0].label] for m in held.values()]))

    def _make_parameter_container(self, prefix: str, members: list[Member], access: Code) -> Code:
        """Make the container of a level with only parameters."""
        keys = [m.label[len(prefix) + 1 :] for m in members]
        self.accesses |= {m.label: Subscript(access, (NameCode(format_literal(key)),)) for m, key in zip(members, keys, strict=True)}
        return self.framework.containers.parameters([(key, m.code) for m, key in zip(members, keys, strict=True)])

    def _add_apart(self, label: str, members: list[Member]) -> None:
        """Add a container that its own container refuses, before its contents."""
        before = len(self.remaining)
        held = self.make_container(label, members, MemberRef(label))
        self.remaining.insert(before, Member(label, "module", held))
