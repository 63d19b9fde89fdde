"""Writes the `__init__` of a class.

In: a class with its arguments. Out: the lines of the method, or none if it would do nothing. Always: members in the order of the spec.
Ties, and buffers that start from a parameter, come after all members. The keys of the state dict are the members' labels.

    >>> import netc
    >>> source = netc.compile("block b(width) { dense width relu }; input 3 -> b 8 as a -> b 4 as b").source()
    >>> [line.strip() for line in source.splitlines() if "def __init__" in line]
    ['def __init__(self, in_features: int, width: int) -> None:', 'def __init__(self) -> None:']
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward, walk_tree

from ....ir.choices import Key
from ....types.traced_ints import strip_formulas
from ..classes.passed_on import find_passed_arguments
from ..code.class_tree import Argument, DictCode, FrozenCode, ListCode, MemberRef, NameCode, OptionalCode, find_repeated_formulas
from ..code.classes import ClassBody, ClassDef, Member
from ..code.framework import Framework
from ..code.python_expressions import Code, FrameworkValue, LetCode, Local, MembersCall
from ..identifiers import RESERVED, make_unique
from ..printing.line_layout import STEP, Doc, LayoutBracket, layout_statement
from ..printing.python_printer import format_literal, make_doc, print_code
from .conditional_members import write_assignment, write_branches
from .draw_parameters import DrawWriter, strip_initializers, write_rules
from .member_access import MemberAccess


def write_constructor(cls: ClassDef, attributes: Mapping[str, str], kept: Mapping[str, Code]) -> list[str]:
    """Write the method. `attributes`: the attribute that keeps each argument that `forward` uses; `kept`: others, with their values."""
    if cls.body.chain is not None:
        named = _FormulaVariables(cls)
        super_call = MembersCall("super().__init__", tuple(named.replace_formulas(a) for a in cls.body.chain.args))
        used_names = {p.name for p in cls.all_arguments} | set(named.names.values())
        lines = [
            *_write_signature(cls),
            *named.constants,
            *named.lines,
            *write_assignment("", super_call, 2, used_names, cls.body.framework),
        ]
        return [*lines, *DrawWriter(used_names, cls.body.framework).write_lines(super_call, "self")]
    if not cls.body.members and not cls.all_arguments:
        return []
    constructor = _Constructor(cls, attributes)
    lines = [*_write_signature(cls), *constructor.write_lines(attributes, kept)]
    if not constructor.draws or not cls.body.framework.initializer:
        return lines
    return [*lines, "", f"{STEP}def {cls.body.framework.initializer}(self) -> None:", *constructor.draws]


def _write_signature(cls: ClassDef) -> list[str]:
    arguments = [Doc("self")]
    for parameter in cls.parameters:
        default = f" = {format_literal(parameter.default)}" if parameter.optional else ""
        arguments.append(Doc(f"{parameter.name}: {_annotate_values(parameter.values)}{default}"))
    if passed := find_passed_arguments(cls.body):
        annotations = cls.body.framework.passed_on
        arguments += [Doc("*"), *(Doc(f"{argument.text}: {annotations[argument.text]}") for argument in passed)]
    return layout_statement("def __init__", Doc(LayoutBracket("(", arguments, ")"), " -> None:"), 1)


def _annotate_values(values: tuple[object, ...]) -> str:
    """Return the type annotation of some literals."""
    annotations = dict.fromkeys(_annotate_value(v) for v in values)
    # An int is a float for type checkers, and None comes last in a union by convention.
    if "float" in annotations:
        annotations.pop("int", None)
    if "None" in annotations:
        annotations["None"] = annotations.pop("None")
    return " | ".join(annotations)


def _annotate_value(value: object) -> str:
    if isinstance(value, tuple):
        return f"tuple[{', '.join(_annotate_value(v) for v in value) or '()'}]"
    if isinstance(value, FrameworkValue):
        return value.annotation
    return "None" if value is None else type(strip_formulas(value)).__name__


class _FormulaVariables:
    """Variables for constants, and for the formulas that the spec names and a constructor uses several times."""

    def __init__(self, cls: ClassDef) -> None:
        self.names: dict[Code, str] = {}
        self.constants = [f"{STEP * 2}{constant.name} = {strip_formulas(constant.values[0])}" for constant in cls.constants]
        self.lines: list[str] = []
        framework = cls.body.framework
        used_names = {p.name for p in cls.all_arguments} | RESERVED | framework.imported
        # Inner formulas come first, so the sources of each are replaced by variables that exist already.
        for size in find_repeated_formulas(
            p for code in (*cls.body.list_constructor_code(), *cls.body.tests.values()) for p in walk_tree(code)
        ):
            name = make_unique(framework.make_variable_name(size.name), used_names)
            used_names.add(name)
            value = replace(size, sources=tuple(self.replace_formulas(s) for s in size.sources))
            self.lines += layout_statement(f"{name} = ", make_doc(value), 2)
            self.names[size] = name

    def replace_formulas(self, code: Code) -> Code:
        return rewrite_downward(code, lambda part: NameCode(self.names[part]) if part in self.names else None) if self.names else code


class _Constructor:
    def __init__(self, cls: ClassDef, attributes: Mapping[str, str]) -> None:
        self.cls, self.attributes = cls, attributes
        self.formulas = _FormulaVariables(cls)
        self.body: ClassBody = cls.body
        self.framework: Framework = cls.body.framework
        self.registration = self.framework.registration
        self.access = MemberAccess(cls.body)
        self.taken = {p.name for p in cls.all_arguments} | set(self.formulas.names.values())
        self.optional = cls.body.find_optional_members()
        self.draws: list[str] = []
        """The lines at the end that draw the first values of parameters."""
        self.bindings: dict[str, Code] = {}
        """The values of the constructor's variables, by name."""

    def write_lines(self, attributes: Mapping[str, str], kept: Mapping[str, Code]) -> list[str]:
        mapped = self.access.list_mapped_members(self.body)
        keys = {m.label for m in mapped}
        before = [*self.formulas.constants, *self.formulas.lines] if mapped else []
        lines = [*before, *self._write_base_call(mapped), *(() if mapped else self.formulas.constants)]
        for name, attribute in attributes.items():
            lines.append(f"{STEP * 2}self.{attribute} = {name}")
        # With mapped members the formulas come before the base call, whose arguments use them.
        lines += () if mapped else self.formulas.lines
        for name, test in kept.items():
            lines += layout_statement(f"self.{name} = ", make_doc(self.formulas.replace_formulas(test)), 2)
        self.kept = {test: name for name, test in kept.items()}
        lines += self._write_members([m for m in self.body.members if m.label not in keys], 0)
        # Members of a container are drawn after `super().__init__` has registered them.
        for member in mapped:
            lines += self._write_draws(member)
        if not self.framework.initializer:
            lines += [*self.draws, *write_rules(self.body.rules, self.taken, self.framework)]
        # Ties come last: what a tied parameter was drawn as is dropped, and the module that it is tied to must exist.
        for target, source in self.body.ties:
            lines += self._write_tie(self._access_members(target), self._access_members(source))
        for parameter, source in self.body.norms:
            target, norms = self.registration.norms(self._access_members(parameter), self._access_members(source))
            lines += layout_statement(f"{print_code(target)} = ", make_doc(norms), 2)
        for module, parameter in self.body.starts:
            lines += layout_statement(
                "", make_doc(self.registration.start_buffers(self._access_members(module), self._access_members(parameter))), 2
            )
        return lines

    def _write_tie(self, target: Code, source: Code) -> list[str]:
        if self.registration.tie is not None:
            return layout_statement("", make_doc(self.registration.tie(target, source)), 2)
        return layout_statement(f"{print_code(target)} = ", make_doc(source), 2)

    def _write_base_call(self, mapped: list[Member]) -> list[str]:
        """Write the call of the base class's constructor."""
        if not (mapped or self.body.keyed or self.registration.calls_base):
            return []
        lines: list[str] = []
        members = MembersCall("super().__init__", self._list_held_items(mapped))
        held = self._write_bindings(self.formulas.replace_formulas(members), lines, 2)
        return [*lines, *layout_statement("", make_doc(strip_initializers(held, self.framework)), 2)]

    def _list_held_items(self, mapped: list[Member]) -> tuple[Code, ...]:
        """Return the items of a list or a dictionary of modules."""
        if self.body.is_list:
            return (ListCode(tuple(m.code for m in mapped)),)
        return (DictCode(tuple((m.label, m.code) for m in mapped)),) if mapped else ()

    def _write_members(self, members: list[Member], depth: int) -> list[str]:
        """Write the members that are within `depth` branches."""
        lines: list[str] = []
        for key, group in groupby(members, key=lambda m: m.guards[depth][0] if len(m.guards) > depth else None):
            several = list(group)
            if key is None:
                lines += [line for member in several for line in self._write_member(member, depth + 2)]
                continue
            test = self._get_test(key)
            # One module in one branch is shorter as `self.m = ... if test else None`, and `forward` can ask whether it is None.
            if key in self.optional:
                lines += self._write_member(replace(several[0], code=OptionalCode(test, several[0].code)), depth + 2)
                continue
            then = self._write_members([m for m in several if m.guards[depth][1]], depth + 1)
            otherwise = self._write_members([m for m in several if not m.guards[depth][1]], depth + 1)
            lines += write_branches(test, then, otherwise, depth + 2)
        return lines

    def _get_test(self, key: Key) -> Code:
        # A condition that `forward` needs too is an attribute, and is computed once.
        test = self.body.tests[key]
        return NameCode(f"self.{self.kept[test]}") if test in self.kept else self.formulas.replace_formulas(test)

    def _write_draws(self, member: Member, depth: int = 2) -> list[str]:
        """Write the lines that draw the first parameters of a member's module."""
        module = self.access.format_access(MemberRef(member.label))
        code = self._read_attributes(member.code) if self.framework.initializer else self.formulas.replace_formulas(member.code)
        return DrawWriter(self.taken, self.framework).write_lines(code, module, depth)

    def _read_attributes(self, code: Code) -> Code:
        """Return the code with attributes instead of arguments, for the method that draws parameters."""

        def change(part: Code) -> Code | None:
            if not isinstance(part, Argument) or part.name not in self.attributes:
                return None
            return replace(part, name=f"self.{self.attributes[part.name]}")

        return rewrite_downward(code, change)

    def _write_member(self, member: Member, depth: int) -> list[str]:
        lines = self._write_registration(member, depth)
        if depth > 2:  # it depends on a condition, so its draws must be in the same branch
            return [*lines, *self._write_draws(member, depth)]
        self.draws += self._write_draws(member)
        return lines

    def _write_registration(self, member: Member, depth: int) -> list[str]:
        lines: list[str] = []
        construction = member.code
        is_frozen = member.kind == "parameter" and isinstance(construction, FrozenCode)
        code = self._write_bindings(
            self.formulas.replace_formulas(construction.module if isinstance(construction, FrozenCode) and is_frozen else construction),
            lines,
            depth,
        )
        registered = self._write_registering(member, code, is_frozen) if self.access.is_attribute(member.label) else None
        if registered is not None:
            return [*lines, *layout_statement("", make_doc(registered), depth)]
        construction = self.registration.wrap_value(member.kind, code, not is_frozen)
        return [
            *lines,
            *write_assignment(f"{self.access.format_target(member)} = ", construction, depth, self.taken, self.framework),
            *self._write_forget(member, depth),
        ]

    def _write_registering(self, member: Member, code: Code, is_frozen: bool) -> Code | None:
        if is_frozen and self.registration.hold_frozen is not None:
            return self.registration.hold_frozen(member.label, code)
        return self.registration.register(member.label, member.kind, code)

    def _write_forget(self, member: Member, depth: int) -> list[str]:
        """Write the statement that keeps a buffer out of the state dict, unless its registration does."""
        if member.kind != "transient" or self.access.is_attribute(member.label):
            return []
        return layout_statement("", make_doc(self.registration.forget(*self.access.find_owner(member.label))), depth)

    def _write_bindings(self, code: Code, lines: list[str], depth: int) -> Code:
        """Write the statements that must come before the expression, and return the expression. Members that a container holds, as
        for a step whose labels have two levels, may need statements too."""
        return rewrite_downward(code, lambda part: self._write_let(part, lines, depth) if isinstance(part, LetCode) else None)

    def _write_let(self, code: LetCode, lines: list[str], depth: int) -> Code:
        names: dict[str, str] = {}

        def renamed(part: Code) -> Code | None:
            return NameCode(names[part.name]) if isinstance(part, Local) else None

        for name, value in code.bindings:
            inner = rewrite_downward(value, renamed)
            names[name] = make_unique(name, self.taken)
            # Two members that need the same variable with the same value share its statement.
            if self.bindings.get(names[name]) != inner:
                lines += layout_statement(f"{names[name]} = ", make_doc(inner), depth)
            self.bindings[names[name]] = inner
        return rewrite_downward(code.result, renamed)

    def _access_members(self, code: Code) -> Code:
        return rewrite_downward(code, lambda part: NameCode(self.access.format_access(part)) if isinstance(part, MemberRef) else None)
