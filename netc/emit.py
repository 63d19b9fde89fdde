"""What flows between the stages of the compiler, as text: `netc compile --emit tokens|ast|graph|torch|onnx`.

In: the name of a stage and a spec. Out: what that stage hands to the next, or the diagnostics that keep it from being.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from netc.dsl.grammar import tables
from netc.dsl.layout import lay_out
from netc.dsl.parser import parse
from netc.dsl.record import Record
from netc.dsl.source import Span
from netc.dsl.tokens import lex

from .analysis import Choice, analyse
from .files import Unreadable

if TYPE_CHECKING:
    from netc.dsl import ast
    from netc.dsl.diagnostics import Diagnostic
    from netc.dsl.source import SourceFile

    from .model import Model

Shown = tuple[str | None, tuple["Diagnostic", ...]]
INDENT = "  "


def emit(stage: str, read: Callable[[], tuple[SourceFile, str | None]], choice: Choice) -> Shown:
    """The text of one stage, None if there are errors before it, and the diagnostics."""
    try:
        source, path = read()
    except Unreadable as error:
        return None, (error.diagnostic,)
    if stage in _OF_TEXT:
        return _OF_TEXT[stage](source)
    analysis = analyse(source, choice, path).with_model()
    if analysis.program is None:
        return None, analysis.diagnostics
    from .api import model_of

    return _OF_MODEL[stage](model_of(analysis, choice)), analysis.diagnostics


def _tokens(source: SourceFile) -> Shown:
    problems: list[Diagnostic] = []
    tokens = lay_out(source, lex(source.text, tables())[0], problems)
    places = ((":".join(map(str, source.position(t.start))), t) for t in tokens)
    return "".join(f"{place:<8} {t.type:<12} {t.text!r}\n" for place, t in places), tuple(problems)


def _ast(source: SourceFile) -> Shown:
    file, problems = parse(source)
    return ("".join(_tree(file)) if not problems else None), tuple(problems)


def _tree(root: ast.Node) -> Iterator[str]:
    """A line for each node: the field it is in, its kind, its plain values, its place. The stack does not grow with the tree."""
    stack: list[tuple[str, object, int]] = [("", root, 0)]
    while stack:
        field, value, depth = stack.pop()
        prefix = INDENT * depth + (f"{field}: " if field else "")
        if not isinstance(value, Record):
            yield f"{prefix}{value!r}\n"
            continue
        fields = [(name, getattr(value, name)) for name in value.__match_args__ if name != "span"]
        plain = [f" {name}={v!r}" for name, v in fields if _is_plain(v)]
        line, column = value.span.file.position(value.span.start)  # type: ignore[attr-defined]
        yield f"{prefix}{type(value).__name__}{''.join(plain)} @{line}:{column}\n"
        for name, inner in reversed(fields):
            if isinstance(inner, tuple):
                stack += [(f"{name}[{i}]", item, depth + 1) for i, item in reversed(list(enumerate(inner)))]
            elif not _is_plain(inner) and not isinstance(inner, Span):
                stack.append((name, inner, depth + 1))


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _graph(model: Model) -> str:
    from .graphtext import show_program

    return show_program(model.program)


def _torch(model: Model) -> str:
    return model.source()


def _onnx(model: Model) -> str:
    """The graph without the numbers of its initialisers."""
    from onnx.printer import to_text

    proto = model.onnx()
    kept = [(t.name, list(t.dims)) for t in proto.graph.initializer]
    del proto.graph.initializer[:]
    return to_text(proto) + "\n" + "".join(f"# {name}: {dims}\n" for name, dims in kept)


_OF_TEXT: dict[str, Callable[[SourceFile], Shown]] = {"tokens": _tokens, "ast": _ast}
_OF_MODEL: dict[str, Callable[[Model], str]] = {"graph": _graph, "torch": _torch, "onnx": _onnx}
