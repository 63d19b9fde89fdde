"""Takes the comment above a block into the docstring of a class.

In: a block's graph, the arguments of the constructor and the inputs. Out: a paragraph, empty if there is nothing to say. Always: it
mentions only what the class has. The comment is about the block, which may have parameters that are the same in all uses, or that only
decide what is in the class, and inputs that this class does not get. A sentence with one of these in backticks is left out, or only its
part after a semicolon. Shapes in the comment (`Input [N, D]; output [N, width].`) are left out too, since the docstring has the shapes of
the class.

    >>> sentence = "Divides by the norm, or by `scale` if that is given; `eps` is added to the norm."
    >>> _filter_sentence(sentence, frozenset({"eps"}))
    'Divides by the norm, or by `scale` if that is given.'
"""

from __future__ import annotations

import re
from collections.abc import Container

from ....ir.graph import Graph

_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`\"])")
_SHAPE = r"(?: \w+)? \[[^\[\]]*\]"
_SHAPES = re.compile(rf"(?:Input|Output|Input and output){_SHAPE}(?:; output{_SHAPE})?(?:: |\.$)")
"""A sentence that begins with shapes. The text after a colon is about the block."""
_SHAPE_CLAUSE = re.compile(rf"(?:input|output){_SHAPE}\.?$")
_OPTIONAL = re.compile(r"\b(\w+)\?")
"""An input that may be absent, in the first lines of a block."""
_CODE = re.compile(r"`([^`]*)`")
_REFERS = re.compile(r"(?:It|Its|They|Their|This|These)\b")
"""The beginning of a sentence that refers to the sentence before."""


def extract_remark(graph: Graph, known: Container[str]) -> str:
    """Return the comment as it was written, without the sentences that do not apply. `known`: the constructor's arguments and the
    inputs."""
    optional = _OPTIONAL.findall(graph.span.text.partition("{")[0])
    hidden = frozenset(name for name in (*graph.arguments, *optional) if name not in known)
    kept: list[str] = []
    dropped = False
    for sentence in _SENTENCE.split(_read_comment(graph)):
        # "It is ..." after a sentence that was left out would refer to the wrong thing.
        remark = "" if dropped and _REFERS.match(sentence) else _filter_sentence(sentence, hidden)
        dropped = not remark
        kept += [remark] if remark else []
    return " ".join(kept)


def _read_comment(graph: Graph) -> str:
    """Read the comment right above a block. The comment at the start of a file is about the file."""
    before = graph.span.file.text[: graph.span.start]
    if graph.kind != "block" or not graph.span.text.startswith("block") or not before.endswith("\n"):
        return ""
    lines: list[str] = []
    end = len(before) - 1
    while end > 0:
        start = before.rfind("\n", 0, end) + 1
        line = before[start:end].strip()
        if not line.startswith("#"):
            break
        if start == 0:
            return ""
        lines.insert(0, line.lstrip("#").strip())
        end = start - 1
    return " ".join(lines)


def _filter_sentence(sentence: str, hidden: frozenset[str]) -> str:
    """Return the sentence without the parts that the class lacks. Empty if nothing is left."""
    shapes = _SHAPES.match(sentence)
    if shapes is not None:
        sentence = sentence[shapes.end() :]
        sentence = sentence[:1].upper() + sentence[1:]
    first, *others = sentence.split("; ")
    if not first or _mentions_any(first, hidden):
        return ""
    kept = [first, *(o for o in others if not (_mentions_any(o, hidden) or _SHAPE_CLAUSE.match(o)))]
    end = "." if sentence.endswith(".") else ""
    return "; ".join(kept).removesuffix(".") + end


def _mentions_any(text: str, names: frozenset[str]) -> bool:
    return any(not names.isdisjoint(re.findall(r"\w+", code)) for code in _CODE.findall(text))
