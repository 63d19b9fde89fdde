"""What values an argument of PyTorch takes, read off its annotation and its default.

In: a parameter of a constructor. Out: `Kinds`. Always: what cannot be said in a spec, such as a function or a tensor, is no kind; where
an annotation names none that can, everything is taken, and PyTorch judges.
"""

from __future__ import annotations

import inspect
import re

from netc.dsl.record import Record

_NAMES = {"bool": ("`true`", "`false`"), "int": ("an integer",), "float": ("a number",), "str": ("a name",), "None": ("`none`",)}
_SEVERAL = re.compile(r"\b(?:tuple|list|Iterable|Sequence)\[([^\[\]]*)\]")
_CHOICES = re.compile(r"\bLiteral\[([^\[\]]*)\]")


class Kinds(Record):
    """`one` are the names of the types of a value, `items` those of the elements of several, empty if several are not taken. `choices` are
    the words that are taken, empty for any. `usual` is the default, if it is several."""

    one: frozenset[str]
    items: frozenset[str]
    choices: tuple[str, ...]
    usual: tuple[object, ...]

    @staticmethod
    def of(parameter: inspect.Parameter) -> Kinds:
        annotation = parameter.annotation
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        choices = tuple(re.findall(r"'(\w+)'", " ".join(_CHOICES.findall(text))))
        items = _named(" ".join(_SEVERAL.findall(text)))
        single = _CHOICES.sub("str", text)
        while (shorter := re.sub(r"\w+\[[^\[\]]*\]", "", single)) != single:
            single = shorter
        usual = parameter.default if isinstance(parameter.default, tuple) else ()
        return Kinds(_named(single), items, choices, usual)

    def need(self, value: object) -> str:
        """What the value must be instead, as the rest of a sentence; empty if it is taken."""
        return "" if self._takes(value) else f"must be {self._described()}"

    def _takes(self, value: object) -> bool:
        if not (self.one or self.items):
            return True
        if isinstance(value, tuple) and self.items:
            return all(_fits(item, self.items) for item in value) and len(self.usual) in (0, len(value))
        return _fits(value, self.one) and (not self.choices or value is None or value in self.choices)

    def _described(self) -> str:
        if self.usual:
            shown = ", ".join("none" if one is None else f"{one:g}" for one in self.usual)
            return f"{len(self.usual)} numbers, such as `[{shown}]`"
        words = [word for name, said in _NAMES.items() if name in self.one - self._implied() for word in said]
        words += [f"`{word}`" for word in self.choices]
        words += [f"a list of {'integers' if self.items == {'int'} else 'numbers'}"] if self.items else []
        *most, last = words
        return f"{', '.join(most)} or {last}" if most else last

    def _implied(self) -> frozenset[str]:
        """What need not be said: an integer is a number, and a choice a name."""
        return frozenset([*(["int"] if "float" in self.one else []), *(["str"] if self.choices else [])])


def _named(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text)) & _NAMES.keys()


def _fits(value: object, names: frozenset[str]) -> bool:
    match value:
        case None:
            return "None" in names
        case bool():
            return "bool" in names
        case int():
            return bool(names & {"int", "float"})
        case float():
            return "float" in names
        case str():
            return "str" in names
    return False
