"""Merges a flag and a number that is needed only if the flag is set into one argument that may be None.

In: the merged body of a class, and its arguments. Out: `squeezed: int | None` in place of `squeezed: bool` and `squeezed2: int | None`.
Tests of the flag test whether the number is None. Always: only where nothing but conditions depends on the flag, and exactly one argument
is needed exactly where it is set.
"""

from __future__ import annotations

from netc.dsl.record import replace
from netc.dsl.trees import walk_tree

from ..code.class_tree import Argument, ChoiceItems
from ..code.classes import ClassBody, ConstructorArgument
from ..code.python_expressions import Code, Infix, Lit
from .constructor_arguments import ArgumentTable


def merge_flags(body: ClassBody, arguments: ArgumentTable) -> None:
    flags = [p for p in arguments.list_arguments() if p.values and all(isinstance(v, bool) for v in p.values)]
    for flag in flags:
        needed = [
            p
            for p in arguments.list_arguments()
            if p.unneeded and all((v is None) is not f for v, f in zip(p.values, flag.values, strict=True))
        ]
        if len(needed) == 1 and _is_only_tested(body, flag):
            _merge_flag(body, arguments, flag, needed[0])


def _is_only_tested(body: ClassBody, flag: ConstructorArgument) -> bool:
    codes = (*body.list_constructor_code(), *(step.code for step in body.steps))
    inside = [p for code in codes for p in walk_tree(code)]
    asked = sum(p == Argument(flag.name) for choice in inside if isinstance(choice, ChoiceItems) for p in walk_tree(choice.test))
    return asked == sum(p == Argument(flag.name) for p in inside)


def _merge_flag(body: ClassBody, arguments: ArgumentTable, flag: ConstructorArgument, number: ConstructorArgument) -> None:
    name = flag.name if number.name.rstrip("0123456789") == flag.name else number.name

    def change(part: Code) -> Code | None:
        match part:
            case Argument(flag.name):
                return Infix("is not", Argument(name), Lit(None))
            case Argument(number.name, factor, offset):
                return Argument(name, factor, offset)
        return None

    body.rewrite_code(change)
    arguments.remove_argument(flag)
    arguments.replace_argument(number, replace(number, name=name, unneeded=False))
