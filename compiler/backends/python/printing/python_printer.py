"""Code as text.

In: Code in which every name is decided (`NameCode`), except for the arguments of a constructor. Out: a `Doc` for the layout, or text on one
line. Always: brackets only where Python's precedence needs them; literals as a person writes them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from netc.dsl.precedence import COMPARISONS, OperatorTable
from netc.dsl.trees import walk_tree

from ....types.traced_ints import TracedInt
from ..code.class_tree import (
    Argument,
    ChoiceItems,
    DictCode,
    Formatted,
    GeneratorStar,
    IfElse,
    ListCode,
    ListComp,
    MemberRef,
    NameCode,
    OptionalCall,
    OptionalCode,
    PassedOn,
    RepeatStar,
    SizeRef,
    Starred,
    StrictLiteral,
    TrainingFlag,
)
from ..code.classes import ClassRef
from ..code.python_expressions import (
    AttributeCode,
    CallCode,
    Code,
    FrameworkValue,
    Infix,
    ItemCode,
    KeywordCode,
    LetCode,
    Lit,
    Local,
    MembersCall,
    Method,
    Prefix,
    Probability,
    Share,
    SliceCode,
    Subscript,
    TupleCode,
    Unneeded,
)
from ..code.simplify import cancel_factors
from .constructor_formulas import traced_text
from .line_layout import Break, Doc, LayoutBracket
from .number_literals import number, without_rounding_errors
from .repeats import unrolled
from .row_comprehensions import as_comprehensions

PYTHON = OperatorTable(
    ("if", "none"),
    ("or", "left"),
    ("and", "left"),
    ("not", "prefix"),
    (f"{COMPARISONS}, is not", "none"),
    ("|", "left"),
    ("^", "left"),
    ("&", "left"),
    ("<<, >>", "left"),
    ("+, -", "left"),
    ("*, /, //, %, @", "left"),
    ("neg, ~", "prefix"),
    ("**", "power"),
)
_HUGGING = re.compile(r"-?[\w.]+")
"""The operands of `**` that are written without spaces."""

_LONGEST = 80
"""Characters of a string on one line."""


def text(code: Code) -> str:
    """The code on one line."""
    return doc(code).flat()


def doc(code: Code) -> Doc:
    return _PRINTERS[type(code)](code)


def literal(value: object) -> str:
    """A literal's text, as a person writes it."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, FrameworkValue):
        return value.text
    if isinstance(value, TracedInt):
        return traced_text(value)
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def _strength(code: Code) -> int:
    """How tightly the outermost operation binds."""
    match code:
        case Infix(op):
            return PYTHON.operand_strengths(op)[0]
        case Prefix(op):
            return PYTHON.binding_strength(_prefix_name(op))
        case Argument() | Lit(int() | float()):
            return PYTHON.strength_of_text(text(code))
        case SizeRef("{0}", (source,)):
            return _strength(source)
        case SizeRef(words):
            return PYTHON.strength_of_text(words)
        case NameCode(words) if " " in words:
            return PYTHON.binding_strength("+")
        case OptionalCode() | OptionalCall() | IfElse():
            return PYTHON.binding_strength("if")
    return PYTHON.atom


def _prefix_name(op: str) -> str:
    return "neg" if op == "-" else op.strip()


def _bound(code: Code, least: int) -> Doc:
    """In brackets if it binds less tightly than `least`."""
    inner = doc(code)
    return inner if _strength(code) >= least else Doc(LayoutBracket("(", [inner], ")"))


# --- one printer a kind of code --------------------------------------------------------------------------------------------


def _lit(code: Lit) -> Doc:
    if isinstance(code.value, tuple):
        return _tuple(TupleCode(tuple(Lit(v) for v in code.value)))
    if isinstance(code.value, str) and len(code.value) > _LONGEST:
        first, *others = (literal(code.value[at : at + _LONGEST]) for at in range(0, len(code.value), _LONGEST))
        return Doc(first, *map(Break, others))  # which Python joins
    return Doc(literal(code.value))


def _probability(code: Probability) -> Doc:
    return Doc(literal(without_rounding_errors(code.value) if isinstance(code.value, float) else code.value))


def _call(code: CallCode) -> Doc:
    function = Doc(code.function) if isinstance(code.function, str) else _bound(code.function, PYTHON.atom)
    return function + Doc(_arguments(code.args, code.kwargs))


def _members_call(code: MembersCall) -> Doc:
    return _call(CallCode(code.function, tuple(as_comprehensions(unrolled(code.args))), code.kwargs))


def _method(code: Method) -> Doc:
    target = _bound(code.target, PYTHON.atom)
    if isinstance(code.target, Lit) and isinstance(code.target.value, (int, float)):
        target = Doc(LayoutBracket("(", [doc(code.target)], ")"))
    return target + Doc(f".{code.name}", _arguments(code.args, code.kwargs))


def _arguments(args: tuple[Code, ...], kwargs: tuple[KeywordCode, ...]) -> LayoutBracket:
    if len(args) == 1 and not kwargs and isinstance(args[0], ListCode):
        only = as_comprehensions(unrolled(args[0].items))
        if len(only) == 1 and isinstance(only[0], (RepeatStar, GeneratorStar)):
            return LayoutBracket("(", [_generator(only[0])], ")")
        if only and all(_is_entry(item) for item in only):
            return LayoutBracket("(", [_entry(item) for item in only], ")")
    items = [doc(a) for arg in unrolled(args) for a in _inline(arg)]
    items += [Doc(f"{k.name}=") + doc(k.value) for k in kwargs if not _is_default(k)]
    return LayoutBracket("(", items, ")")


def _inline(arg: Code) -> tuple[Code, ...]:
    """An argument; of a starred one, the arguments that are known."""
    match arg:
        case Starred(TupleCode(items)):
            return items
        case Starred(Lit(tuple() as values)):
            return tuple(Lit(v) for v in values)
    return (arg,)


def _is_entry(item: Code) -> bool:
    """Whether a pair of a key and a value can be written `key=value`."""
    match item:
        case TupleCode((Lit(str() as key), _)):
            return key.isidentifier() and not iskeyword(key)
    return False


def _entry(item: Code) -> Doc:
    assert isinstance(item, TupleCode)
    key, value = item.items
    assert isinstance(key, Lit)
    return Doc(f"{key.value}=") + doc(value)


def _is_default(keyword: KeywordCode) -> bool:
    return keyword.has_default and isinstance(keyword.value, Lit) and StrictLiteral(keyword.value.value) == StrictLiteral(keyword.default)


def _infix(code: Infix) -> Doc:
    own, of_left, of_right = PYTHON.operand_strengths(code.op)
    left, right = _bound(code.left, of_left), _bound(code.right, of_right)
    if code.op == "**":
        hugging = all(_HUGGING.fullmatch(side.flat()) for side in (left, right))
        return left + Doc("**" if hugging else " ** ") + right
    if isinstance(code.left, Infix) and _strength(code.left) > own:
        left = _closed(left)
    if isinstance(code.right, Infix):
        right = _closed(right)
    return left + Doc(Break(f"{code.op} ")) + right


def _closed(inner: Doc) -> Doc:
    """The same, to be broken inside its brackets only."""
    return Doc(*(p.flat() if isinstance(p, Break) else p for p in inner.pieces))


def _subscript(code: Subscript) -> Doc:
    return _bound(code.target, PYTHON.atom) + Doc(LayoutBracket("[", [doc(i) for i in code.items], "]", comma=len(code.items) > 1))


def _slice(code: SliceCode) -> Doc:
    bounds = ["" if c is None else text(c) for c in (code.start, code.stop, code.step)]
    if code.step is None:
        bounds.pop()
    if not any(" " in b for b in bounds):
        return Doc(":".join(bounds))
    return Doc(" : ".join(bounds).strip() if bounds[-1] else f"{' : '.join(bounds[:-1])} :".strip())


def _tuple(code: TupleCode) -> Doc:
    match code.items:
        case (ItemCode(target, _, count), *_) if code.items == tuple(ItemCode(target, (Lit(i),), count) for i in range(count)):
            return doc(target)
    items = [doc(i) for i in code.items]
    return Doc(LayoutBracket("(", items, ")")) if len(items) != 1 else Doc(LayoutBracket("(", items, ",)"))


def _argument(code: Argument) -> Doc:
    factor = f"{code.factor} * " if code.factor != 1 else ""
    offset = f" {'-' if code.offset < 0 else '+'} {abs(code.offset)}" if code.offset else ""
    return Doc(f"{factor}{code.name}{offset}")


def _source(source: Code, within: str) -> str:
    """A part of a formula, in brackets where it needs them."""
    return text(source) if within == "{0}" else _bound(source, PYTHON.atom).flat()


def _optional(code: OptionalCode) -> Doc:
    """A module that is not always there."""
    return doc(code.then) + Doc(Break(f"if {text(code.test)}"), Break("else None"))


def _if_else(code: IfElse) -> Doc:
    return _bound(code.then, PYTHON.binding_strength("if") + 1) + Doc(Break(f"if {text(code.test)}"), Break("else ")) + doc(code.otherwise)


def _choice_items(code: ChoiceItems) -> Doc:
    """Members within an expression."""
    return doc(Starred(IfElse(code.test, ListCode(code.then), ListCode(code.otherwise))))


def _optional_call(code: OptionalCall) -> Doc:
    module = doc(code.module)
    called = module + Doc(LayoutBracket("(", [doc(code.value)], ")"))
    return doc(code.value) + Doc(Break("if ")) + module + Doc(" is None", Break("else ")) + called


def _generator(code: RepeatStar | GeneratorStar) -> Doc:
    if isinstance(code, RepeatStar):
        return doc(code.item) + Doc(Break(f"for _ in range({text(code.count)})"))
    if isinstance(code.item, GeneratorStar):
        return doc(code.item.item) + _clause(code) + _clause(code.item)
    return doc(code.item) + _clause(code)


def _clause(code: GeneratorStar) -> Doc:
    match code.iterable:
        case Infix(op, left, right):  # (1, 2, 4) * 3
            iterable = doc(left) + Doc(f" {op} ") + doc(right)
        case other:
            iterable = doc(other)
    return Doc(Break(f"for {code.variable} in ")) + iterable


def _spread(code: RepeatStar | GeneratorStar) -> Doc:
    return Doc("*", LayoutBracket("(", [_generator(code)], ")"))


def _gathered(code: ListComp) -> Doc:
    inner = doc(code.element) + Doc(Break(f"for {code.variable} in {text(code.iterable)}"))
    return Doc(LayoutBracket("[", [inner], "]", comma=False))


def _dict(code: DictCode) -> Doc:
    return Doc(LayoutBracket("{", [Doc(f"{literal(key)}: ") + doc(value) for key, value in code.items], "}"))


def _share(code: Share) -> Doc:
    shorter = cancel_factors(code)
    return _infix(code) if shorter is code else doc(shorter)


def _prefix(code: Prefix) -> Doc:
    return Doc(code.op) + _bound(code.operand, PYTHON.binding_strength("neg"))


_PRINTERS: dict[type[Code], Callable[[Any], Doc]] = {
    Lit: _lit,
    Unneeded: _lit,
    Probability: _probability,
    **dict.fromkeys((NameCode, TrainingFlag, PassedOn), lambda code: Doc(code.text)),
    Local: lambda code: Doc(code.name),
    ClassRef: lambda code: Doc(code.cls.name),
    SizeRef: lambda code: Doc(code.text.format(*(_source(s, code.text) for s in code.sources))),
    Argument: _argument,
    CallCode: _call,
    MembersCall: _members_call,
    Method: _method,
    AttributeCode: lambda code: _bound(code.target, PYTHON.atom) + Doc(f".{code.name}"),
    Infix: _infix,
    Share: _share,
    Prefix: _prefix,
    SliceCode: _slice,
    Subscript: _subscript,
    ItemCode: _subscript,
    TupleCode: _tuple,
    Starred: lambda code: Doc("*") + _bound(code.value, PYTHON.binding_strength("|")),
    RepeatStar: _spread,
    GeneratorStar: _spread,
    Formatted: lambda code: Doc(f'f"{code.before}{{{text(code.value)}}}{code.after}"'),
    ListComp: _gathered,
    IfElse: _if_else,
    ChoiceItems: _choice_items,
    OptionalCode: _optional,
    OptionalCall: _optional_call,
    ListCode: lambda code: Doc(LayoutBracket("[", [doc(i) for i in as_comprehensions(unrolled(code.items))], "]")),
    DictCode: _dict,
    LetCode: lambda code: doc(code.result),
}


# --- members in a row --------------------------------------------------------------------------------------------------------


# --- before names are decided ------------------------------------------------------------------------------------------------


def width(code: Code) -> int:
    """The approximate length of the code."""
    return sum(_own_width(part) for part in walk_tree(code))


def _own_width(part: object) -> int:
    match part:
        case MemberRef(label):
            return len(label) + 5
        case Argument():
            return len(text(part)) + 7
        case SizeRef(words, sources):
            return len(words) if not any(isinstance(s, Argument) for s in sources) else len(words) - 3 * len(sources)
        case Lit(value):
            return len(literal(value)) + 2
        case CallCode(str() as function):
            return len(function) + 2
        case Method(_, name):
            return len(name) + 3
        case NameCode(words):
            return len(words)
        case KeywordCode():
            return 0
    return 2
