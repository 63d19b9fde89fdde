"""How members of a class are accessed: `self.conv1`, or by key where the label is not an attribute name.

In: a body. Out: code text. Always: whatever the label, its key in the state dict is the label itself.
"""

from __future__ import annotations

from itertools import takewhile

from ..python.code.class_tree import MemberRef, NameCode
from ..python.code.classes import ClassBody, How, Member
from ..python.printing.python_printer import doc, literal
from .torch_framework import TORCH, submodule

REGISTRY: dict[How, str] = {"module": "_modules", "parameter": "_parameters", "buffer": "_buffers", "transient": "_buffers"}


class Access:
    """The members of one class."""

    def __init__(self, body: ClassBody) -> None:
        self.keyed, self.listed = body.keyed, body.listed
        self.how = {m.label: m.how for m in body.members}

    def mapping(self, body: ClassBody) -> list[Member]:
        """The members that an `nn.ModuleDict` contains: modules, up to one whose label it does not accept."""
        modules = [m for m in body.members if m.how == "module"] if self.keyed else []
        return list(takewhile(_is_key, modules))

    def attribute(self, label: str) -> bool:
        """Whether `self.<label>` is the member."""
        if self.keyed:
            return TORCH.plain(label) and self.how[label] != "module" and label not in TORCH.container_attributes
        return TORCH.plain(label)

    def owner(self, label: str) -> tuple[str, str]:
        """The module that registers the member, and the name that it has there."""
        level, _, key = label.rpartition(".")
        return doc(submodule(NameCode("self"), level)).flat() if level else "self", key

    def text(self, member: MemberRef) -> str:
        label = member.label
        if "." in label:
            owner, key = self.owner(label)
            return f"{owner}.{REGISTRY[self.how[label]]}[{literal(key)}]"
        if self.attribute(label):
            return f"self.{label}"
        if self.keyed and self.how[label] == "module":
            return f"self[{label if self.listed else literal(label)}]"
        return f"self.{REGISTRY[self.how[label]]}[{literal(label)}]"

    def home(self, member: Member) -> str:
        """The target of its assignment in the constructor."""
        if "." in member.label or self.attribute(member.label) or (self.keyed and _is_key(member)):
            return self.text(MemberRef(member.label))
        return f"self.{REGISTRY[member.how]}[{literal(member.label)}]"


def _is_key(member: Member) -> bool:
    """Whether `nn.ModuleDict` accepts its label."""
    return member.how == "module" and TORCH.is_key(member.label)


def attribute_names(body: ClassBody, stored: list[str]) -> dict[str, str]:
    """For each argument that `forward` uses, the attribute that keeps it."""
    labels = {m.label for m in body.members}
    found: dict[str, str] = {}
    for name in stored:
        attribute = name
        assert not name.startswith("__"), "a name that no attribute can have"
        while attribute in labels or not TORCH.is_key(attribute) or attribute in found.values():
            attribute += "_"
        found[name] = attribute
    return found
