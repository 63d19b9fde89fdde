"""A page as text for other programs, which choose the places themselves: Mermaid, which GitHub shows, and Graphviz's DOT.

Always: labels are quoted, and what has a meaning within quotes is escaped, so no label ends its quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .picture import Box, Level, Page

STEP = "    "


def mermaid(page: Page) -> str:
    """A flowchart."""
    return "\n".join(["flowchart TB", *_mermaid(page.level, "n", STEP)]) + "\n"


def dot(page: Page) -> str:
    """A directed graph, frames as clusters."""
    head = [f"digraph {_dot_text(page.title)} {{", f'{STEP}node [shape=box, style=rounded, fontname="sans-serif"];']
    return "\n".join([*head, *_dot(page.level, "n", STEP), "}"]) + "\n"


def _mermaid(level: Level, name: str, indent: str) -> Iterator[str]:
    for number, box in enumerate(level.boxes):
        own = f"{name}_{number}"
        label = _quoted(_lines(box), _mermaid_text, "<br>")
        if box.frame is not None:
            yield f"{indent}subgraph {own}[{label}]"
            yield from _mermaid(box.frame, own, indent + STEP)
            yield f"{indent}end"
        elif box.shape in ("stage", "block"):
            yield f"{indent}{own}[{label}]"
        else:
            yield f"{indent}{own}([{label}])"
    for source, label, target in _wires(level, name):
        middle = f"|{_quoted([label], _mermaid_text, '')}|" if label else ""
        yield f"{indent}{source} -->{middle} {target}"


def _dot(level: Level, name: str, indent: str) -> Iterator[str]:
    for number, box in enumerate(level.boxes):
        own = f"{name}_{number}"
        label = _quoted(_lines(box), _dot_part, "\\n")
        if box.frame is not None:
            yield f"{indent}subgraph cluster_{own} {{ label={label};"
            yield from _dot(box.frame, own, indent + STEP)
            yield f"{indent}}}"
        else:
            shape = "" if box.shape in ("stage", "block") else ", shape=oval"
            yield f"{indent}{own} [label={label}{shape}];"
    for source, label, target in _wires(level, name):
        shown = f" [label={_quoted([label], _dot_part, '')}]" if label else ""
        yield f"{indent}{source} -> {target}{shown};"


def _lines(box: Box) -> list[str]:
    title = f"{box.title} × {box.times:,}" if box.times > 1 else box.title
    return [title or " ", *box.lines]


def _wires(level: Level, name: str) -> Iterator[tuple[str, str, str]]:
    """The ends of each wire, those of frames within them, and its label."""
    for wire in level.wires:
        source, target = level.boxes[wire.source], level.boxes[wire.target]
        start, end = f"{name}_{wire.source}", f"{name}_{wire.target}"
        if source.frame is not None:
            start += f"_{_ends(source.frame, entries=False)[source.exits[wire.tag]]}"
        if target.frame is not None:
            end += f"_{_ends(target.frame, entries=True)[wire.port]}"
        yield start, source.tags[wire.tag], end


def _ends(level: Level, entries: bool) -> list[int]:
    return [number for number, box in enumerate(level.boxes) if box.shape == "port" and bool(box.tags) == entries]


def _quoted(lines: list[str], text: Callable[[str], str], between: str) -> str:
    return '"' + between.join(map(text, lines)) + '"'


def _mermaid_text(text: str) -> str:
    """Everything but letters, digits and harmless signs as its number, which Mermaid shows as the character."""
    return "".join(c if c.isalnum() or c in " .,_-+=()[]/:·×…" else f"#{ord(c)};" for c in text)


def _dot_text(text: str) -> str:
    return f'"{_dot_part(text)}"'


def _dot_part(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
