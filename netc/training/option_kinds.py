"""Read the kinds of values that an argument of PyTorch accepts from its annotation and its default.

In: a parameter of a constructor. Out: `OptionKinds`. Always: types that a spec cannot write, such as functions and tensors, are ignored. If
an annotation names no other type, every value is accepted here, and PyTorch's constructor judges.

>>> def adam(lr: float, betas: tuple[float, float] = (0.9, 0.999)) -> None: ...
>>> parameters = inspect.signature(adam).parameters
>>> OptionKinds.from_parameter(parameters["lr"]).describe_mismatch("fast")
'must be a number'
>>> OptionKinds.from_parameter(parameters["betas"]).describe_mismatch((0.9, 0.999))
''
"""

from __future__ import annotations

import inspect
import re

from netc.dsl.record import Record

_NAMES = {"bool": ("`true`", "`false`"), "int": ("an integer",), "float": ("a number",), "str": ("a name",), "None": ("`none`",)}
_COLLECTIONS = re.compile(r"\b(?:tuple|list|Iterable|Sequence)\[([^\[\]]*)\]")
_INNERMOST = re.compile(r"(\w+)\[([^\[\]]*)\]")
_CHOICES = re.compile(r"\bLiteral\[([^\[\]]*)\]")


class OptionKinds(Record):
    """The kinds of one argument. `single` are the types of a single value, `items` the types of the elements of a list; empty if no list is
    accepted. `choices` are the accepted words, empty for any. `default` is the default if it is a tuple: its length is required."""

    single: frozenset[str]
    items: frozenset[str]
    choices: tuple[str, ...]
    default: tuple[object, ...]

    @staticmethod
    def from_parameter(parameter: inspect.Parameter) -> OptionKinds:
        annotation = parameter.annotation
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        text = text.replace("NoneType", "None")
        choices = tuple(re.findall(r"'(\w+)'", " ".join(_CHOICES.findall(text))))
        items = _find_kinds(" ".join(_COLLECTIONS.findall(text)))
        single = _CHOICES.sub("str", text)
        while (shorter := _INNERMOST.sub(_unwrap_generic, single)) != single:
            single = shorter
        usual = parameter.default if isinstance(parameter.default, tuple) else ()
        return OptionKinds(_find_kinds(single), items, choices, usual)

    def describe_mismatch(self, value: object) -> str:
        """Return what the value must be instead, as the rest of a sentence; empty if it is accepted."""
        return "" if self._accepts_value(value) else f"must be {self._describe_kinds()}"

    def _accepts_value(self, value: object) -> bool:
        if not (self.single or self.items):
            return True
        if isinstance(value, tuple) and self.items:
            return all(_is_kind(item, self.items) for item in value) and len(self.default) in (0, len(value))
        return _is_kind(value, self.single) and (not self.choices or value is None or value in self.choices)

    def _describe_kinds(self) -> str:
        if self.default:
            example = ", ".join("none" if number is None else f"{number:g}" for number in self.default)
            return f"{len(self.default)} numbers, such as `[{example}]`"
        words = [word for name, phrases in _NAMES.items() if name in self.single - self._implied_kinds() for word in phrases]
        words += [f"`{word}`" for word in self.choices]
        words += [f"a list of {'integers' if self.items == {'int'} else 'numbers'}"] if self.items else []
        *most, last = words
        return f"{', '.join(most)} or {last}" if most else last

    def _implied_kinds(self) -> frozenset[str]:
        """Return the kinds that a message need not name: an integer is a number, and a choice is a name."""
        return frozenset([*(["int"] if "float" in self.single else []), *(["str"] if self.choices else [])])


def _unwrap_generic(match: re.Match[str]) -> str:
    """Return the alternatives of a union; nothing for a collection."""
    name, inside = match.groups()
    return {"Union": inside, "Optional": f"{inside}, None"}.get(name, "")


def _find_kinds(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text)) & _NAMES.keys()


def _is_kind(value: object, names: frozenset[str]) -> bool:
    match value:
        case None:
            return "None" in names
        # before int, because a bool is an int in Python
        case bool():
            return "bool" in names
        case int():
            return bool(names & {"int", "float"})
        case float():
            return "float" in names
        case str():
            return "str" in names
    return False
