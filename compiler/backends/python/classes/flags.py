"""Writes how `forward` asks for decisions of the constructor: `self.use_residual`, `self.norm is not None`.

In: a class. Out: for each condition that its `forward` depends on, an expression, and the attributes that the constructor must set.
Always: no attribute is added where an argument, or a module that may be None, gives the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from netc.dsl.trees import walk_tree

from ....ir.choices import Key
from ..code.class_tree import Argument, FlagRef, IfElse, MemberRef
from ..code.classes import ClassBody
from ..code.python_expressions import Code
from ..identifiers import make_unique


def make_flags(
    body: ClassBody, attributes: Mapping[str, str], used_names: Iterable[str], accessed: Callable[[MemberRef], str]
) -> tuple[dict[Key, str], dict[str, Code]]:
    """Return the expressions, and the attributes that the constructor sets, with their values."""
    optional = body.find_optional_members()
    used = set(used_names)
    expressions: dict[Key, str] = {}
    kept: dict[str, Code] = {}
    for key in body.list_forward_conditions():
        test = body.tests[key]
        if key in optional:
            expressions[key] = f"{accessed(MemberRef(optional[key]))} is not None"
        elif isinstance(test, Argument):
            expressions[key] = f"self.{attributes[test.name]}"
        else:
            same = next((name for name, value in kept.items() if value == test), "")
            name = same or make_unique(f"use_{_name_condition(body, key)}", used)
            used.add(name)
            kept[name] = test
            expressions[key] = f"self.{name}"
    return expressions, kept


def _name_condition(body: ClassBody, key: Key) -> str:
    """Return a word for the steps that the condition guards: a label or an operator."""
    for step in body.steps:
        guarded = any(known == key for known, _ in step.guards)
        choices = [p for p in walk_tree(step.code) if isinstance(p, IfElse) and p.test == FlagRef(key)]
        if guarded or choices:
            word = step.traits.operator
            modules = [p.label for code in (c.then for c in choices) for p in walk_tree(code) if isinstance(p, MemberRef)]
            modules += [p.label for p in walk_tree(step.code) if guarded and isinstance(p, MemberRef)]
            if modules and body.framework.is_attribute_name(modules[-1]):
                return modules[-1]
            return "residual" if word in ("+", "add") else word if word.isidentifier() else "branch"
    return "branch"
