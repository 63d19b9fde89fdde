"""docs/comparison.md counts the lines of each objective of specs/training, and of its plain PyTorch module in tests/training.

`pytest tests/docs --update` writes the table anew.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from tests.training import plain_derivatives, plain_generative, plain_policies, plain_siamese, plain_supervised, plain_training
from tests.training.plain_recipes import RECIPES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "comparison.md"
TABLE = re.compile(r"(?<=<!-- lines of objectives -->\n)\|.*?(?=\n<!-- end of lines -->)", re.DOTALL)
MODULES = (plain_training, plain_generative, plain_siamese, plain_policies, plain_supervised, plain_derivatives)
SHARED = {"Plain", "SeveralLosses", "Recipe", "Turn", "SAMPLES"}
"""Names of the tests that no objective needs for itself."""


def count_lines(lines: Iterable[str]) -> int:
    """The lines of code, without comments and empty lines."""
    return sum(not re.match(r"\s*(#|$)", line) for line in lines)


def list_definitions(module: ModuleType) -> dict[str, ast.FunctionDef | ast.ClassDef]:
    """The functions and classes of a module, without docstrings."""
    tree = ast.parse(inspect.getsource(module))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            del node.body[0]
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


DEFINITIONS = {name: node for module in MODULES for name, node in list_definitions(module).items()}


def count_code(name: str) -> int:
    """The lines of a definition, with one for each statement."""
    return count_lines(ast.unparse(DEFINITIONS[name]).splitlines())


def find_needed_definitions(name: str) -> set[str]:
    """The definitions that one needs, directly or not."""
    needed, stack = {name}, [name]
    while stack:
        names = {item.id for item in ast.walk(DEFINITIONS[stack.pop()]) if isinstance(item, ast.Name)}
        new = (names & {*DEFINITIONS}) - needed - SHARED
        needed |= new
        stack += new
    return needed


def write_table() -> str:
    rows = ["| objective | netc | the module in PyTorch |", "|---|---|---|"]
    for name in sorted(RECIPES):
        spec = count_lines((ROOT / "specs" / "training" / f"{name}.net").read_text(encoding="utf-8").splitlines())
        make_plain = RECIPES[name].make_plain
        cls = getattr(make_plain, "func", make_plain).__name__
        plain = sum(map(count_code, find_needed_definitions(cls)))
        rows.append(f"| [{name}](../specs/training/{name}.net) | {spec} | {plain} |")
    step = count_code("make_plain_step") + count_code("list_trained")
    rows.append(f"| the training step, once | 0 | {step} |")
    return "\n".join(rows)


def test_the_lines_are_as_counted(update: bool) -> None:
    page = PAGE.read_text(encoding="utf-8")
    real = TABLE.sub(lambda _: write_table(), page)
    if update:
        PAGE.write_text(real, encoding="utf-8")
    assert TABLE.search(page)
    assert page == real
