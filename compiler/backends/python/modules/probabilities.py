"""Marks the numbers that are probabilities: arguments of dropout, and arguments of classes that pass them on to it.

In: all classes, called ones first. Out: the same classes, with `Probability` in place of `Lit`, and `Share` in place of `Infix`, so that
`Dropout(0.30000000000000004)` is written `Dropout(0.3)`. Always: a number that is not passed on unchanged stays a plain number.
"""

from __future__ import annotations

from collections.abc import Set

from ..code.class_tree import Argument
from ..code.classes import ClassDef, ClassRef
from ..code.python_expressions import CallCode, Code, Infix, KeywordCode, Lit, Probability, Share


def mark_probabilities(classes: list[ClassDef], dropouts: Set[str]) -> None:
    """Mark the probabilities. `dropouts`: the modules that take them."""
    names: dict[int, set[str]] = {}
    for cls in classes:
        cls.body.rewrite_code(_ProbabilityMarker(names, names.setdefault(id(cls), set()), dropouts).mark_part)


class _ProbabilityMarker:
    """Marks the probabilities in the code of one class.

    `classes` has, by the id of each earlier class, its arguments that are probabilities. `own` collects the arguments of this class.
    """

    def __init__(self, classes: dict[int, set[str]], own_names: set[str], dropouts: Set[str]) -> None:
        self.classes, self.local_names, self.dropouts = classes, own_names, dropouts

    def mark_part(self, part: Code) -> Code | None:
        match part:
            case CallCode(str() as function, args, kwargs) if function in self.dropouts:
                return CallCode(function, tuple(map(self._mark_probability, args)), kwargs)
            case CallCode(ClassRef(cls), args, kwargs) if wanted := self.classes.get(id(cls)):
                names = [p.name for p in cls.parameters if not p.keyword]
                positional = (self._mark_probability(a) if n in wanted else a for n, a in zip(names, args, strict=True))
                return CallCode(part.function, tuple(positional), tuple(self._mark_keyword(k, wanted) for k in kwargs))
        return None

    def _mark_keyword(self, keyword: KeywordCode, wanted: set[str]) -> KeywordCode:
        if keyword.name not in wanted:
            return keyword
        return KeywordCode(keyword.name, self._mark_probability(keyword.value), keyword.default, keyword.has_default)

    def _mark_probability(self, code: Code) -> Code:
        match code:
            case Lit(float() as value, hint):
                return Probability(value, hint)
            case Infix(op, left, right):
                return Share(op, left, right)
            case Argument(name, 1, 0):
                self.local_names.add(name)
        return code
