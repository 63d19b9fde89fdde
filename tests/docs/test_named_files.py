"""Every Python file that a docstring, a comment or a page names exists.

A name is relative to the checkout, the package or the folder of the file that has it, or it is the end of one path only. So a family of
operators, in which the backends have files of the same name, needs a path. Words in capitals are any word: `compiler/ops/FAMILY.py`.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "compiler", "dsl", "editors", "netc", "playground", "tests")
NAME = re.compile(r"(?<![\w/.{}*<>-])((?:\.\./)*(?:[\w-]+/)*[\w-]+\.py)\b")
ANY = re.compile(r"\b[A-Z]{2,}\b|(?<=_)[A-Z]{2,}\b")
EXAMPLES = {
    *(
        "classifier.py",
        "file.py",
        "flowers.py",
        "flowers_example.py",
        "models/flowers_example.py",
        "mlp-2.py",
        "mlp.py",
        "snakes.py",
        "train.py",
    ),  # what users may have
    *("flax_emitters.py", "flax_framework.py", "flax_library.py"),  # of a backend that CONTRIBUTING.md makes
    *("onnx_ml_pb2.py", "sitecustomize.py"),  # of the package onnx, of Python
}
"""Files that are elsewhere."""


def python_files() -> list[Path]:
    """All, from the root of the checkout; netc/compiler and netc/dsl are links."""
    found = [path.relative_to(ROOT) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    links = {Path("netc/compiler"), Path("netc/dsl")}
    return sorted(path for path in [*found, Path("setup.py")] if not links & {*path.parents} and "node_modules" not in path.parts)


FILES = python_files()
ENDS = Counter("/".join(path.parts[first:]) for path in FILES for first in range(len(path.parts)))
PAGES = [path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.name != "CHANGELOG.md"]


def texts(path: Path) -> Iterator[str]:
    """The prose of a file: what a page has outside of its examples, the comments and docstrings of a module."""
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        return
    if ".py" not in text:
        return
    yield from (token.string for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT)
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(docstring))):
                yield docstring


def exists(name: str, user: Path) -> bool:
    """Whether it names one file, and not one of several."""
    if any(any((ROOT / base).glob(ANY.sub("*", name))) for base in ("", "netc", user.parent) if ".." not in name):
        return True
    return (ROOT / user.parent / name).exists() or ENDS[name] == 1 or name in EXAMPLES


@pytest.mark.parametrize("folder", [*FOLDERS, "pages"])
def test_the_named_files_exist(folder: str) -> None:
    users = PAGES if folder == "pages" else [path for path in FILES if path.parts[0] == folder]
    found = [(user.as_posix(), name) for user in users for text in texts(user) for name in NAME.findall(text)]
    assert [(user, name) for user, name in found if not exists(name, Path(user))] == []


def test_a_name_that_is_none() -> None:
    assert not exists("service/stable.py", Path("docs/architecture.md"))
    assert not exists("ops/pooling.py", Path("docs/decisions/index.md"))  # of the operators, or of a backend
    assert exists("compiler/ops/FAMILY.py", Path("CONTRIBUTING.md"))
    assert exists("pooling.py", Path("compiler/ops/dense.py"))
