"""Write a page for programs that choose the coordinates themselves: Mermaid, which GitHub shows, and Graphviz's DOT.

Always: labels are quoted, and characters with a meaning within quotes are escaped, so no label can end its quotes.

    flowchart TB
        n_0(["input"])
        n_1["dense1<br>dense 2"]
        n_0 -->|"[N, 3]"| n_1

    >>> import netc
    >>> from .picture_levels import make_picture
    >>> print(make_mermaid(make_picture(netc.compile("input 3 -> dense 2 as fc").program).pages[0]))
    flowchart TB
        n_0(["input"])
        n_1["fc<br>dense 2<br>8 parameters, 14 FLOPs"]
        n_2(["output"])
        n_0 -->|"[N, 3]"| n_1
        n_1 -->|"[N, 2]"| n_2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .picture import Box, Level, Page

STEP = "    "


def make_mermaid(page: Page) -> str:
    """Return a page as a flowchart of Mermaid."""
    return "\n".join(["flowchart TB", *_list_mermaid_lines(page.level, "n", STEP)]) + "\n"


def make_dot(page: Page) -> str:
    """Return a page as a directed graph of Graphviz, with frames as clusters."""
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
            # Graphviz frames a subgraph only if its name begins with `cluster`
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
    """Yield the identifiers of each wire's ends, and its label. A wire of an open frame ends at a port within the frame."""
    for wire in level.wires:
        source, target = level.boxes[wire.source], level.boxes[wire.target]
        start, end = f"{name}_{wire.source}", f"{name}_{wire.target}"
        # Graphviz has edges between nodes only, not between clusters
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
    """Escape everything but letters, digits and harmless signs: Mermaid shows a number such as `#60;` as the character."""
    return "".join(c if c.isalnum() or c in " .,_-+=()[]/:·×…" else f"#{ord(c)};" for c in text)


def _quote_dot(text: str) -> str:
    return f'"{_escape_dot(text)}"'


def _escape_dot(text: str) -> str:
    # backslashes first, or the backslashes before quotes would be doubled too
    return text.replace("\\", "\\\\").replace('"', '\\"')
