"""The grammar for tree-sitter reads every spec, and finds the errors that netc's parser finds."""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

import pytest

from netc.dsl.grammar import load_tables
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile
from tests.fuzz.texts import mangled

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "editors" / "tree-sitter"
HIGHLIGHTS = (FOLDER / "queries" / "highlights.scm").read_text(encoding="utf-8")
SPECS = sorted((ROOT / "specs").rglob("*.net"))
MANGLED = 1000
AGREED = 0.95
CONDITIONS = (
    "let a = [i for i in 0..9 if i % 2 == 0 for j in 0..i if j > 1]",
    "let a = [1 if i > 1 else 2 for i in (xs if t else ys) if not i]",
    "let a = 1 if 2 > 1 else 3 if 4 > 3 else 5",
    "let a = 1 if (2 if 3 > 2 else 0) > 1 else 2",
    "let a = [i for i in xs if t else ys]",
    "let a = [i for i in xs if t if u else v]",
)
PIPELINES = (
    "exp(x -> dense 3 as a)",
    "relu((x -> dense 3) + x, y)",
    "maximum(x, (x -> dense 3) * x, other=2)",
    "relu((x, x) -> add -> sin)",
    "x -> mul other=(x + param [3] as b)",
    "relu(x @ param [3, 3] as b)",
    "relu(if k > 2 { x -> sin } else { x })",
    "where(x > 0, x -> sin, (x, y) -> add)",
    "concat(x -> repeat i in 3 { dense i }, ys, axis=1)",
    "let a = (x -> sin).rank + [(x -> f), 2][0]",
    "x -> mul (y -> sin)",
    "relu(x -> )",
    "relu(-> x)",
)
NEOVIM = """
vim.treesitter.language.add("net", {{ path = "{library}" }})
vim.treesitter.query.set("net", "highlights", table.concat(vim.fn.readfile("{queries}"), "\\n"))
vim.treesitter.start(0, "net")
vim.treesitter.get_parser(0, "net"):parse(true)
local seen = {{}}
for _, one in ipairs(vim.treesitter.get_captures_at_pos(0, 0, 0)) do table.insert(seen, one.capture) end
io.stdout:write(table.concat(seen, " "))
vim.cmd("qa!")
"""


def test_the_grammar_has_all_keywords() -> None:
    grammar = (FOLDER / "grammar.js").read_text(encoding="utf-8")
    words = {*load_tables().keywords} - {"as"}  # which begins a label
    assert {word for word in words if f'"{word}"' not in grammar} == set()
    assert {word for word in words - {"true", "false"} if f'"{word}"' not in HIGHLIGHTS} == set()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parser, generated and compiled as editors do it."""
    for program in ("tree-sitter", "cc"):
        if shutil.which(program) is None:
            pytest.skip(f"`{program}` is not installed")
    home = tmp_path_factory.mktemp("grammar") / "net"
    shutil.copytree(FOLDER, home, ignore=shutil.ignore_patterns("parser.c", "tree_sitter", "*.json", "net.so"))
    subprocess.run(["tree-sitter", "generate", "--no-bindings"], cwd=home, check=True, capture_output=True)
    command = ["cc", "-O1", "-shared", "-fPIC", "-Isrc", "src/parser.c", "src/scanner.c", "-o", "net.so"]
    subprocess.run(command, cwd=home, check=True, capture_output=True)
    return home / "net.so"


@pytest.fixture(scope="module")
def language(library: Path) -> Any:
    if find_spec("tree_sitter") is None:
        pytest.skip("the package tree-sitter is not installed")
    import tree_sitter

    made = ctypes.CDLL(str(library)).tree_sitter_net
    made.restype = ctypes.c_void_p
    capsule = ctypes.pythonapi.PyCapsule_New
    capsule.restype, capsule.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return tree_sitter.Language(capsule(made(), b"tree_sitter.Language", None))


def tree(language: Any, text: str) -> Any:
    import tree_sitter

    return tree_sitter.Parser(language).parse(text.encode("utf-8", "surrogatepass"))


def errors(node: Any) -> Iterator[str]:
    if node.is_error or node.is_missing:
        yield f"{node.start_point}: {node.text[:60]!r}"
    elif node.has_error:
        for child in node.children:
            yield from errors(child)


@pytest.mark.long
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_spec_has_no_errors(path: Path, language: Any) -> None:
    assert [*errors(tree(language, path.read_text(encoding="utf-8")).root_node)] == []


@pytest.mark.long
@pytest.mark.parametrize("text", [*CONDITIONS, *PIPELINES])
def test_the_errors_are_those_of_netc(text: str, language: Any) -> None:
    ours = parse_source(SourceFile("text", text))[1]
    assert bool([*errors(tree(language, text).root_node)]) == any(one.severity == "error" for one in ours)


@pytest.mark.long
def test_both_parsers_find_the_same_errors(language: Any) -> None:
    """They differ where netc's says more: a statement that goes on in the next line, the order of arguments."""
    agreed, falsely = 0, []
    for number in range(MANGLED):
        text = mangled(Random(f"tree-sitter {number}"))
        ours = any(one.severity == "error" for one in parse_source(SourceFile("text", text))[1])
        theirs = tree(language, text).root_node.has_error
        agreed += ours == theirs
        falsely += [text] if theirs and not ours else []
    assert agreed / MANGLED >= AGREED
    assert falsely == []


@pytest.mark.long
def test_colors(language: Any) -> None:
    import tree_sitter

    text = "block b(n) { in -> conv n 3x3 padding=1 as first.{n} }  # why\nx = input [T, 8] int64\nx -> b 3 -> dense 2"
    captures = tree_sitter.QueryCursor(tree_sitter.Query(language, HIGHLIGHTS)).captures(tree(language, text).root_node)
    found = {name: {node.text.decode() for node in nodes} for name, nodes in captures.items()}
    assert found["function"] == {"conv", "b", "dense"}
    assert found["keyword"] == {"block", "in", "input"}
    assert found["property"] == {"padding"}
    assert found["label"] == {"as first.{n}"}
    assert found["type"] == {"b", "int64"}
    assert found["comment"] == {"# why"}


@pytest.mark.long
@pytest.mark.skipif(shutil.which("nvim") is None, reason="Neovim is not installed")
def test_neovim_colors_with_it(library: Path, tmp_path: Path) -> None:
    script, spec = tmp_path / "test.lua", tmp_path / "a.net"
    script.write_text(NEOVIM.format(library=library, queries=FOLDER / "queries" / "highlights.scm"))
    spec.write_text("input 3 -> dense 2\n")
    command = ["nvim", "--headless", "--clean", "-n", str(spec), "-S", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert re.fullmatch(r"keyword", done.stdout.strip()), done.stdout + done.stderr
