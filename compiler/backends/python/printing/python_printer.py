"""Prints code as Python text.

In: Code in which every name is decided (`NameCode`), except for the arguments of a constructor. Out: a `Doc` for the layout, or text on
one line. Always: brackets only where Python's precedence needs them, and literals as a person writes them.

>>> print_code(Infix("*", Infix("+", NameCode("a"), Lit(1)), Lit(2)))
'(a + 1) * 2'
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from netc.dsl.precedence import COMPARISONS, OperatorTable

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
from .constructor_formulas import format_traced
from .line_layout import Break, Doc, LayoutBracket
from .number_literals import format_number, round_to_simple
from .repeats import unroll_repeats
from .row_comprehensions import make_comprehensions

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
"""The operands of `**` that are written without spaces, as black does: `x**2`, but `f(x) ** 2`."""

_LONGEST = 80
"""The largest number of characters of a string on one line."""


def print_code(code: Code) -> str:
    """Print the code on one line."""
    return make_doc(code).to_line()


def make_doc(code: Code) -> Doc:
    return _PRINTERS[type(code)](code)


def format_literal(value: object) -> str:
    """Write a literal as a person writes it."""
    if isinstance(value, str):
        # JSON's strings are Python's, in double quotes as black writes them; `repr` would choose single quotes.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, FrameworkValue):
        return value.text
    if isinstance(value, TracedInt):
        return format_traced(value)
    if isinstance(value, (int, float)):
        return format_number(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(format_literal, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


def _binding_strength(code: Code) -> int:
    """Return how tightly the outermost operation binds."""
    match code:
        case Infix(op):
            return PYTHON.operand_strengths(op)[0]
        case Prefix(op):
            return PYTHON.binding_strength(_prefix_name(op))
        # A negative number is a prefix operation: `(-2)**k`.
        case Argument() | Lit(int() | float()):
            return PYTHON.strength_of_text(print_code(code))
        case SizeRef("{0}", (source,)):
            return _binding_strength(source)
        case SizeRef(words):
            return PYTHON.strength_of_text(words)
        # Any text with a space is taken for a sum: brackets around it are never wrong.
        case NameCode(words) if " " in words:
            return PYTHON.binding_strength("+")
        case OptionalCode() | OptionalCall() | IfElse():
            return PYTHON.binding_strength("if")
    return PYTHON.atom


def _prefix_name(op: str) -> str:
    return "neg" if op == "-" else op.strip()


def _bracket_weaker(code: Code, least: int) -> Doc:
    """Print the code, in brackets if it binds less tightly than `least`."""
    inner = make_doc(code)
    return inner if _binding_strength(code) >= least else Doc(LayoutBracket("(", [inner], ")"))


# --- one printer a kind of code --------------------------------------------------------------------------------------------


def _print_literal(code: Lit) -> Doc:
    if isinstance(code.value, tuple):
        return _print_tuple(TupleCode(tuple(Lit(v) for v in code.value)))
    if isinstance(code.value, str) and len(code.value) > _LONGEST:
        first, *others = (format_literal(code.value[start : start + _LONGEST]) for start in range(0, len(code.value), _LONGEST))
        return Doc(first, *map(Break, others))  # Python joins adjacent strings
    return Doc(format_literal(code.value))


def _print_probability(code: Probability) -> Doc:
    return Doc(format_literal(round_to_simple(code.value) if isinstance(code.value, float) else code.value))


def _print_call(code: CallCode) -> Doc:
    function = Doc(code.function) if isinstance(code.function, str) else _bracket_weaker(code.function, PYTHON.atom)
    return function + Doc(_layout_arguments(code.args, code.kwargs))


def _print_members_call(code: MembersCall) -> Doc:
    return _print_call(CallCode(code.function, tuple(make_comprehensions(unroll_repeats(code.args))), code.kwargs))


def _print_method(code: Method) -> Doc:
    target = _bracket_weaker(code.target, PYTHON.atom)
    # `1.abs()` does not parse; `(1).abs()` does.
    if isinstance(code.target, Lit) and isinstance(code.target.value, (int, float)):
        target = Doc(LayoutBracket("(", [make_doc(code.target)], ")"))
    return target + Doc(f".{code.name}", _layout_arguments(code.args, code.kwargs))


def _layout_arguments(args: tuple[Code, ...], kwargs: tuple[KeywordCode, ...]) -> LayoutBracket:
    # A call with one list: a generator needs no brackets of its own, and pairs with names become keywords.
    if len(args) == 1 and not kwargs and isinstance(args[0], ListCode):
        only = make_comprehensions(unroll_repeats(args[0].items))
        if len(only) == 1 and isinstance(only[0], (RepeatStar, GeneratorStar)):
            return LayoutBracket("(", [_print_generator(only[0])], ")")
        if only and all(_is_entry(item) for item in only):
            return LayoutBracket("(", [_print_entry(item) for item in only], ")")
    items = [make_doc(a) for arg in unroll_repeats(args) for a in _inline_starred(arg)]
    items += [Doc(f"{k.name}=") + make_doc(k.value) for k in kwargs if not _is_default(k)]
    return LayoutBracket("(", items, ")")


def _inline_starred(arg: Code) -> tuple[Code, ...]:
    """Return an argument, or the items of a starred tuple whose items are known."""
    match arg:
        case Starred(TupleCode(items)):
            return items
        case Starred(Lit(tuple() as values)):
            return tuple(Lit(v) for v in values)
    return (arg,)


def _is_entry(item: Code) -> bool:
    """Whether it is a pair of a key and a value that can be written `key=value`."""
    match item:
        case TupleCode((Lit(str() as key), _)):
            return key.isidentifier() and not iskeyword(key)
    return False


def _print_entry(item: Code) -> Doc:
    assert isinstance(item, TupleCode)
    key, value = item.items
    assert isinstance(key, Lit)
    return Doc(f"{key.value}=") + make_doc(value)


def _is_default(keyword: KeywordCode) -> bool:
    # `StrictLiteral`, because `1 == True`: `bias=1` must not be taken for the default True.
    return keyword.has_default and isinstance(keyword.value, Lit) and StrictLiteral(keyword.value.value) == StrictLiteral(keyword.default)


def _print_infix(code: Infix) -> Doc:
    strength, of_left, of_right = PYTHON.operand_strengths(code.op)
    left, right = _bracket_weaker(code.left, of_left), _bracket_weaker(code.right, of_right)
    if code.op == "**":
        hugging = all(_HUGGING.fullmatch(side.to_line()) for side in (left, right))
        return left + Doc("**" if hugging else " ** ") + right
    # A product within a sum stays on one line: a break in it would look like a break of the sum.
    if isinstance(code.left, Infix) and _binding_strength(code.left) > strength:
        left = _close_breaks(left)
    if isinstance(code.right, Infix):
        right = _close_breaks(right)
    return left + Doc(Break(f"{code.op} ")) + right


def _close_breaks(inner: Doc) -> Doc:
    """Return the same Doc, which breaks inside its brackets only."""
    return Doc(*(p.to_line() if isinstance(p, Break) else p for p in inner.pieces))


def _print_subscript(code: Subscript) -> Doc:
    return _bracket_weaker(code.target, PYTHON.atom) + Doc(
        LayoutBracket("[", [make_doc(i) for i in code.items], "]", comma=len(code.items) > 1)
    )


def _print_slice(code: SliceCode) -> Doc:
    bounds = ["" if c is None else print_code(c) for c in (code.start, code.stop, code.step)]
    if code.step is None:
        bounds.pop()
    if not any(" " in b for b in bounds):
        return Doc(":".join(bounds))
    return Doc(" : ".join(bounds).strip() if bounds[-1] else f"{' : '.join(bounds[:-1])} :".strip())


def _print_tuple(code: TupleCode) -> Doc:
    # All items of a tuple, in order, are the tuple itself: `size`, not `(size[0], size[1])`.
    match code.items:
        case (ItemCode(target, _, count), *_) if code.items == tuple(ItemCode(target, (Lit(i),), count) for i in range(count)):
            return make_doc(target)
    items = [make_doc(i) for i in code.items]
    return Doc(LayoutBracket("(", items, ")")) if len(items) != 1 else Doc(LayoutBracket("(", items, ",)"))


def _print_argument(code: Argument) -> Doc:
    factor = f"{code.factor} * " if code.factor != 1 else ""
    offset = f" {'-' if code.offset < 0 else '+'} {abs(code.offset)}" if code.offset else ""
    return Doc(f"{factor}{code.name}{offset}")


def _print_source(source: Code, within: str) -> str:
    """Print a part of a formula, in brackets where it needs them."""
    return print_code(source) if within == "{0}" else _bracket_weaker(source, PYTHON.atom).to_line()


def _print_optional(code: OptionalCode) -> Doc:
    """Print a module that is None unless the test holds."""
    return make_doc(code.then) + Doc(Break(f"if {print_code(code.test)}"), Break("else None"))


def _print_if_else(code: IfElse) -> Doc:
    return (
        _bracket_weaker(code.then, PYTHON.binding_strength("if") + 1)
        + Doc(Break(f"if {print_code(code.test)}"), Break("else "))
        + make_doc(code.otherwise)
    )


def _print_choice_items(code: ChoiceItems) -> Doc:
    """Print members within an expression."""
    return make_doc(Starred(IfElse(code.test, ListCode(code.then), ListCode(code.otherwise))))


def _print_optional_call(code: OptionalCall) -> Doc:
    module = make_doc(code.module)
    called = module + Doc(LayoutBracket("(", [make_doc(code.value)], ")"))
    return make_doc(code.value) + Doc(Break("if ")) + module + Doc(" is None", Break("else ")) + called


def _print_generator(code: RepeatStar | GeneratorStar) -> Doc:
    if isinstance(code, RepeatStar):
        return make_doc(code.item) + Doc(Break(f"for _ in range({print_code(code.count)})"))
    if isinstance(code.item, GeneratorStar):
        return make_doc(code.item.item) + _print_clause(code) + _print_clause(code.item)
    return make_doc(code.item) + _print_clause(code)


def _print_clause(code: GeneratorStar) -> Doc:
    match code.iterable:
        case Infix(op, left, right):  # (1, 2, 4) * 3
            iterable = make_doc(left) + Doc(f" {op} ") + make_doc(right)
        case other:
            iterable = make_doc(other)
    return Doc(Break(f"for {code.variable} in ")) + iterable


def _print_spread(code: RepeatStar | GeneratorStar) -> Doc:
    return Doc("*", LayoutBracket("(", [_print_generator(code)], ")"))


def _print_list_comprehension(code: ListComp) -> Doc:
    inner = make_doc(code.element) + Doc(Break(f"for {code.variable} in {print_code(code.iterable)}"))
    return Doc(LayoutBracket("[", [inner], "]", comma=False))


def _print_dict(code: DictCode) -> Doc:
    return Doc(LayoutBracket("{", [Doc(f"{format_literal(key)}: ") + make_doc(value) for key, value in code.items], "}"))


def _print_share(code: Share) -> Doc:
    shorter = cancel_factors(code)
    return _print_infix(code) if shorter is code else make_doc(shorter)


def _print_prefix(code: Prefix) -> Doc:
    return Doc(code.op) + _bracket_weaker(code.operand, PYTHON.binding_strength("neg"))


_PRINTERS: dict[type[Code], Callable[[Any], Doc]] = {
    Lit: _print_literal,
    Unneeded: _print_literal,
    Probability: _print_probability,
    **dict.fromkeys((NameCode, TrainingFlag, PassedOn), lambda code: Doc(code.text)),
    Local: lambda code: Doc(code.name),
    ClassRef: lambda code: Doc(code.cls.name),
    SizeRef: lambda code: Doc(code.text.format(*(_print_source(s, code.text) for s in code.sources))),
    Argument: _print_argument,
    CallCode: _print_call,
    MembersCall: _print_members_call,
    Method: _print_method,
    AttributeCode: lambda code: _bracket_weaker(code.target, PYTHON.atom) + Doc(f".{code.name}"),
    Infix: _print_infix,
    Share: _print_share,
    Prefix: _print_prefix,
    SliceCode: _print_slice,
    Subscript: _print_subscript,
    ItemCode: _print_subscript,
    TupleCode: _print_tuple,
    Starred: lambda code: Doc("*") + _bracket_weaker(code.value, PYTHON.binding_strength("|")),
    RepeatStar: _print_spread,
    GeneratorStar: _print_spread,
    Formatted: lambda code: Doc(f'f"{code.before}{{{print_code(code.value)}}}{code.after}"'),
    ListComp: _print_list_comprehension,
    IfElse: _print_if_else,
    ChoiceItems: _print_choice_items,
    OptionalCode: _print_optional,
    OptionalCall: _print_optional_call,
    ListCode: lambda code: Doc(LayoutBracket("[", [make_doc(i) for i in make_comprehensions(unroll_repeats(code.items))], "]")),
    DictCode: _print_dict,
    LetCode: lambda code: make_doc(code.result),
}
