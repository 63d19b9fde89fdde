"""Writes the access to members of a class: `self.conv1`, or by key where the label is not an attribute name: `self["0"]`.

In: a body. Out: code text. Always: the member's key in the state dict is its label.
"""

from __future__ import annotations

from itertools import takewhile

from ..code.class_tree import MemberRef, NameCode
from ..code.classes import ClassBody, Member
from ..code.python_expressions import AttributeCode, Code, Lit, Subscript
from ..printing.python_printer import print_code

SELF = NameCode("self")


class MemberAccess:
    """The members of one class."""

    def __init__(self, body: ClassBody) -> None:
        self.framework = body.framework
        self.keyed, self.listed = body.keyed, body.is_list
        self.kinds = {m.label: m.kind for m in body.members}

    def list_mapped_members(self, body: ClassBody) -> list[Member]:
        """List the modules that a container with keys is made from, up to the first whose label it refuses: the order must stay."""
        modules = [m for m in body.members if m.kind == "module"] if self.keyed else []
        return list(takewhile(self._is_key, modules))

    def is_attribute(self, label: str) -> bool:
        """Whether `self.<label>` is the member."""
        if self.keyed and (self.kinds[label] == "module" or label in self.framework.container_attributes):
            return False
        return self.framework.is_attribute_name(label)

    def find_owner(self, label: str) -> tuple[Code, str]:
        """Return the module that registers the member, and the name that it has there."""
        level, _, key = label.rpartition(".")
        return self.framework.by_path(SELF, level) if level else SELF, key

    def format_access(self, member: MemberRef) -> str:
        """Write the access to the member from a method."""
        return print_code(self._access_label(member.label))

    def format_target(self, member: Member) -> str:
        """Write the target of its assignment in the constructor."""
        label = member.label
        # An item of a dict of modules can be assigned by its key; other labels go through the framework's registration.
        if "." in label or self.is_attribute(label) or (self.keyed and self._is_key(member)):
            return self.format_access(MemberRef(label))
        return print_code(self._access_by_label(label))

    def _access_label(self, label: str) -> Code:
        if "." in label:
            return self._access_by_label(label)
        if self.is_attribute(label):
            return AttributeCode(SELF, label)
        if self.keyed and self.kinds[label] == "module":
            return Subscript(SELF, (NameCode(label) if self.listed else Lit(label),))
        return self._access_by_label(label)

    def _access_by_label(self, label: str) -> Code:
        return self.framework.registration.by_label(*self.find_owner(label), self.kinds[label])

    def _is_key(self, member: Member) -> bool:
        """Whether a container with keys accepts its label."""
        return member.kind == "module" and self.framework.is_key(member.label)


def choose_attribute_names(body: ClassBody, stored: list[str]) -> dict[str, str]:
    """Choose, for each argument that the method uses, the attribute that keeps it."""
    labels = {m.label for m in body.members}
    chosen: dict[str, str] = {}
    for name in stored:
        attribute = name
        assert not name.startswith("__"), "a name that no attribute can have"
        while attribute in labels or not body.framework.is_key(attribute) or attribute in chosen.values():
            attribute += "_"
        chosen[name] = attribute
    return chosen
