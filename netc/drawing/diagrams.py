"""A page as text for other programs, which choose the places themselves: Mermaid, which GitHub shows, and Graphviz's DOT.

Always: labels are quoted, and what has a meaning within quotes is escaped, so no label ends its quotes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .picture import Box, Level, Page

STEP = "    "


def make_mermaid(page: Page) -> str:
    """A flowchart."""
    return "\n".join(["flowchart TB", *_list_mermaid_lines(page.level, "n", STEP)]) + "\n"


def make_dot(page: Page) -> str:
    """A directed graph, frames as clusters."""
    head = [f"digraph {_quote_dot(page.title)} {{", f'{STEP}node [shape=box, style=rounded, fontname="sans-serif"];']
    return "\n".join([*head, *_list_dot_lines(page.level, "n", STEP), "}"]) + "\n"


def _list_mermaid_lines(level: Level, name: str, indent: str) -> Iterator[str]:
    for number, box in enumerate(level.boxes):
        identifier = f"{name}_{number}"
        label = _quote_lines(_list_label_lines(box), _escape_mermaid, "<br>")
        if box.frame is not None:
            yield f"{indent}subgraph {identifier}[{label}]"
            yield from _list_mermaid_lines(box.frame, identifier, indent + STEP)
            yield f"{indent}end"
        elif box.shape in ("stage", "block"):
            yield f"{indent}{identifier}[{label}]"
        else:
            yield f"{indent}{identifier}([{label}])"
    for source, label, target in _list_wires(level, name):
        middle = f"|{_quote_lines([label], _escape_mermaid, '')}|" if label else ""
        yield f"{indent}{source} -->{middle} {target}"


def _list_dot_lines(level: Level, name: str, indent: str) -> Iterator[str]:
    for number, box in enumerate(level.boxes):
        identifier = f"{name}_{number}"
        label = _quote_lines(_list_label_lines(box), _escape_dot, "\\n")
        if box.frame is not None:
            yield f"{indent}subgraph cluster_{identifier} {{ label={label};"
            yield from _list_dot_lines(box.frame, identifier, indent + STEP)
            yield f"{indent}}}"
        else:
            shape = "" if box.shape in ("stage", "block") else ", shape=oval"
            yield f"{indent}{identifier} [label={label}{shape}];"
    for source, label, target in _list_wires(level, name):
        attributes = f" [label={_quote_lines([label], _escape_dot, '')}]" if label else ""
        yield f"{indent}{source} -> {target}{attributes};"


def _list_label_lines(box: Box) -> list[str]:
    title = f"{box.title} × {box.times:,}" if box.times > 1 else box.title
    return [title or " ", *box.lines]


def _list_wires(level: Level, name: str) -> Iterator[tuple[str, str, str]]:
    """The ends of each wire, those of frames within them, and its label."""
    for wire in level.wires:
        source, target = level.boxes[wire.source], level.boxes[wire.target]
        start, end = f"{name}_{wire.source}", f"{name}_{wire.target}"
        if source.frame is not None:
            start += f"_{_list_ports(source.frame, entries=False)[source.exits[wire.tag]]}"
        if target.frame is not None:
            end += f"_{_list_ports(target.frame, entries=True)[wire.port]}"
        yield start, source.tags[wire.tag], end


def _list_ports(level: Level, entries: bool) -> list[int]:
    return [number for number, box in enumerate(level.boxes) if box.shape == "port" and bool(box.tags) == entries]


def _quote_lines(lines: list[str], text: Callable[[str], str], between: str) -> str:
    return '"' + between.join(map(text, lines)) + '"'


def _escape_mermaid(text: str) -> str:
    """Everything but letters, digits and harmless signs as its number, which Mermaid shows as the character."""
    return "".join(c if c.isalnum() or c in " .,_-+=()[]/:·×…" else f"#{ord(c)};" for c in text)


def _quote_dot(text: str) -> str:
    return f'"{_escape_dot(text)}"'


def _escape_dot(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
