"""Let a class read its arguments from the configuration of a model.

In: a class, and the code of each argument of its constructor. Out: a copy of the class without arguments, whose code has `config.width`
where the class had `width`.
"""

from __future__ import annotations

from collections.abc import Mapping

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward

from ...python.code.class_tree import Argument, SizeRef
from ...python.code.classes import ClassDef
from ...python.code.python_expressions import Code, Lit


def bind_arguments(cls: ClassDef, arguments: Mapping[str, Code], owner: str) -> ClassDef:
    """Return the class without arguments: its code has the fields of `config`, or of `self.config` with `self.` as the owner."""
    bound = ClassDef(cls.base, [cls.body.copy()])
    bound.name, bound.constants, bound.parameters = cls.name, cls.constants, []
    own = {name: _own_fields(code, owner) for name, code in arguments.items()}

    def change(part: Code) -> Code | None:
        return substitute_arguments(part, own) if isinstance(part, Argument) else None

    bound.body.rewrite_code(change)
    return bound


def _own_fields(code: Code, owner: str) -> Code:
    return rewrite_downward(code, lambda part: replace(part, name=f"{owner}{part.name}") if isinstance(part, Argument) else None)


def substitute_arguments(code: Code, arguments: Mapping[str, Code]) -> Code:
    """Return the code with other code for arguments of the constructor."""

    def change(part: Code) -> Code | None:
        if not isinstance(part, Argument) or part.name not in arguments:
            return None
        value = arguments[part.name]
        if (part.factor, part.offset) == (1, 0):
            return value
        match value:
            case Argument(name, factor, offset):
                return Argument(name, part.factor * factor, part.factor * offset + part.offset)
            case Lit(int() as number):
                return Lit(part.factor * number + part.offset)
        scaled = "{0}" if part.factor == 1 else f"{part.factor} * {{0}}"
        shifted = "" if not part.offset else f" {'-' if part.offset < 0 else '+'} {abs(part.offset)}"
        return SizeRef(f"{scaled}{shifted}", (value,))

    return rewrite_downward(code, change)
