"""Render a summary or a model as HTML, for notebooks and the playground.

In: rows, types and texts. Out: a piece of HTML with its own styles. Always: labels and names are text in it, never markup. It has no
scripts and loads nothing. The time grows with the distinct stages, of which it shows at most `MAX_STAGES`.

    >>> render_image("<svg/>", "a < b")[:40]
    '<img alt="a &lt; b" src="data:image/svg+'
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from .figures import format_number, format_types

if TYPE_CHECKING:
    from netc.compiler.analysis.model_cost import StageCost
    from netc.compiler.types.tensor_types import TensorType

MAX_STAGES = 2000
"""The most stages of a tree."""
MAX_OPEN_STAGES = 12
"""A tree with at most this many rows is open from the beginning."""
STYLE = (
    "<style>.netc{font:13px/1.6 ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;overflow-x:auto;max-width:100%}"
    ".netc .netc-row{display:grid;grid-template-columns:minmax(9em,1.4fr) minmax(6em,.8fr) minmax(9em,1.2fr) 7em 8em;column-gap:1em;"
    "min-width:43em;border-bottom:1px solid rgba(128,128,128,.18)}"
    ".netc .netc-row>span{white-space:nowrap;overflow:hidden;text-overflow:ellipsis}"
    ".netc .netc-row>span:nth-child(n+4){text-align:right}.netc .netc-head{font-weight:600;opacity:.75}"
    ".netc summary{cursor:pointer}.netc summary.netc-row{list-style:none}.netc summary.netc-row::-webkit-details-marker{display:none}"
    ".netc summary.netc-row>span:first-child::before{content:'▸ '}"
    ".netc details[open]>summary.netc-row>span:first-child::before{content:'▾ '}"
    ".netc .netc-leaf>span:first-child::before{content:'  ';white-space:pre}.netc img{max-width:100%;height:auto}"
    ".netc .netc-totals{opacity:.85}</style>"
)


def add_styles(content: str) -> str:
    """Return a piece of HTML together with its styles."""
    return f'{STYLE}<div class="netc">{content}</div>'


def render_model(name: str, inputs: Mapping[str, TensorType], outputs: Mapping[str, TensorType], stages: int, tree: str, image: str) -> str:
    """Render a model: the types of its inputs and outputs, its stages, and its picture."""
    signature = f"<b>{escape(name)}</b>({_render_types(inputs)}) → {_render_types(outputs)}"
    is_open = " open" if stages <= MAX_OPEN_STAGES else ""
    return add_styles(
        f"<div>{signature}</div><details{is_open}><summary>stages</summary>{tree}</details>"
        f"<details open><summary>picture</summary>{image}</details>"
    )


def render_image(svg: str, what: str) -> str:
    """Render a picture as an image. An inline SVG would apply its style sheet to the page around it."""
    return f'<img alt="{escape(what)}" src="data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}">'


def render_tree(name: str, inputs: Sequence[tuple[str, str]], rows: Sequence[StageCost], totals: Sequence[tuple[str, str]]) -> str:
    """Render the stages as a tree that opens and closes, and the totals."""
    head = _render_cells(name, "operator", "result", "parameters", "FLOPs")
    lines = [f'<div class="netc-row netc-head">{head}</div>']
    lines += [f'<div class="netc-row netc-leaf">{_render_cells(label, "input", type, "", "")}</div>' for label, type in inputs]
    lines += _render_rows(rows)
    lines += [f'<div class="netc-totals">{escape(what)}: {escape(text)}</div>' for what, text in totals]
    return "".join(lines)


def _render_rows(rows: Sequence[StageCost]) -> Iterator[str]:
    """Render rows from the outside inwards. A row with inner rows is a `details` element around them."""
    # a stack instead of recursion; None closes the `details` of the row before it
    stack: list[tuple[StageCost | None, int]] = [(row, 0) for row in reversed(rows)]
    count = 0
    while stack:
        row, depth = stack.pop()
        if row is None:
            yield "</details>"
            continue
        count += 1
        if count > MAX_STAGES:
            yield '<div class="netc-row"><span>...</span></div>'
            # the notebook puts its own content after this one, which must not end up inside an open element
            yield "</details>" * sum(rest is None for rest, _ in stack)
            return
        label = row.label + (f" x {row.times:,}" if row.times > 1 else "")
        cells = _render_cells(label, row.name, format_types(row), format_number(row.parameters), format_number(row.flops), depth)
        if not row.detail:
            yield f'<div class="netc-row netc-leaf">{cells}</div>'
            continue
        yield f'<details><summary class="netc-row">{cells}</summary>'
        stack += [(None, depth), *((inner, depth + 1) for inner in reversed(row.detail))]


def _render_cells(label: str, operator: str, result: str, parameters: str, flops: str, depth: int = 0) -> str:
    # beyond 20 levels, the indent would fill the column and hide the label
    indent = f' style="padding-left:{min(depth, 20) * 1.2:.1f}em"' if depth else ""
    # a cell cuts a long text; the mouse shows all of it
    rest = "".join(f'<span title="{escape(text)}">{escape(text)}</span>' for text in (operator, result, parameters, flops))
    return f'<span{indent} title="{escape(label)}">{escape(label)}</span>{rest}'


def _render_types(types: Mapping[str, TensorType]) -> str:
    return escape(", ".join(f"{name}: {type}" for name, type in types.items()))
