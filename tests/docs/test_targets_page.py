"""docs/targets.md shows the classes of one spec in each framework, as they are emitted.

`pytest tests/docs --update` writes the table of classes; read the difference before you commit it.
"""

from __future__ import annotations

import re
from pathlib import Path

import netc

PAGE = Path(__file__).parents[2] / "docs" / "targets.md"
FRAMEWORKS = {"torch": "PyTorch", "flax": "Flax NNX", "mlx": "MLX"}
SPEC = re.compile(r"^```net file=digits\.net\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TABLE = re.compile(r"^<table.*^</table>$", re.MULTILINE | re.DOTALL)
CLASS = re.compile(r"^class (\w+)\(.*?(?=\n\n\n|\Z)", re.MULTILINE | re.DOTALL)


def split_classes(source: str) -> dict[str, str]:
    """The text of each class, by its name."""
    return {match[1]: match[0].rstrip("\n") for match in CLASS.finditer(source)}


def write_row(tag: str, cells: list[str]) -> str:
    """A row of an HTML table, because a table of Markdown can't contain code of several lines."""
    return '<tr markdown="1">\n' + "".join(f'<{tag} markdown="1">\n\n{cell}\n\n</{tag}>\n' for cell in cells) + "</tr>\n"


def write_table(model: netc.Model) -> str:
    classes = {target: split_classes(model.source(target)) for target in FRAMEWORKS}
    rows = [[f"```python shown\n{classes[target][name]}\n```" for target in FRAMEWORKS] for name in classes["torch"]]
    return f'<table markdown="1">\n{write_row("th", list(FRAMEWORKS.values()))}{"".join(write_row("td", row) for row in rows)}</table>'


def test_the_classes_are_emitted(update: bool) -> None:
    text = PAGE.read_text(encoding="utf-8")
    (spec,) = SPEC.findall(text)
    table = write_table(netc.compile(spec))
    if update:
        PAGE.write_text(TABLE.sub(lambda _: table, text), encoding="utf-8")
    assert TABLE.findall(PAGE.read_text(encoding="utf-8")) == [table]


def test_each_class_of_pytorch_is_in_all_frameworks() -> None:
    (spec,) = SPEC.findall(PAGE.read_text(encoding="utf-8"))
    model = netc.compile(spec)
    names = {target: split_classes(model.source(target)).keys() for target in FRAMEWORKS}
    assert len(names["torch"]) >= 2
    assert all(names["torch"] <= found for found in names.values())
