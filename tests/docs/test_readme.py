"""The README is true: its specs are checked, its commands print the output shown, and its Python runs.

`pytest tests/docs --update` rewrites the commands' output; read it before you commit it.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import netc
from netc.cli import COMMANDS
from netc.training.run_files import read_metrics

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES_WITH_PYTHON = (README, ROOT / "docs" / "python.md")
MOST_WORDS = 1500
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fences(language: str, page: Path = README) -> Iterator[re.Match[str]]:
    return (m for m in FENCE.finditer(page.read_text(encoding="utf-8")) if m[1] == language)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the README names."""
    for match in fences("net"):
        named = re.search(r"file=(\S+)", match[2])
        if named:
            (tmp_path / named[1]).write_text(match[3], encoding="utf-8")
    return tmp_path


def run(command: str, folder: Path) -> str:
    words = shlex.split(command)
    assert words[0] == "netc"
    environment = os.environ | {"NO_COLOR": "1", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-m", "netc", *words[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return "".join(line.rstrip() + "\n" for line in (done.stdout + done.stderr).strip("\n").splitlines())


def played(session: str, folder: Path) -> str:
    """A session of commands with their current output, without what only a slow machine reports in between."""
    real = "".join(f"{line}\n{run(line[2:], folder)}" for line in session.splitlines() if line.startswith("$ "))
    return re.sub(r".*samples/s\n", "", real)


def shorten(session: str, shown: str) -> str:
    """A session without the lines for which the page shows `...`."""
    before, dots, after = shown.partition("...\n")
    lines = session.splitlines(keepends=True)
    return "".join([*lines[: before.count("\n")], dots, *lines[len(lines) - after.count("\n") :]]) if dots else session


def masked(session: str) -> str:
    """A session without what differs between machines: numbers with units of time and memory, and the columns they are in."""
    return re.sub(r" +", " ", re.sub(r"-?\d[\d,]*(\.\d+)?(e-?\d+)?( (µs|ms|s|kB|MB|GB)\b)?", "0", session))


def test_commands_give_what_is_shown(folder: Path, update: bool) -> None:
    text = README.read_text(encoding="utf-8")
    real = FENCE.sub(lambda m: f"```console\n{played(m[3], folder)}```" if m[1] == "console" and not m[2] else m[0], text)
    if update:
        README.write_text(real, encoding="utf-8")
    assert real == text


@pytest.mark.long
def test_the_digits_are_learned(folder: Path, update: bool) -> None:
    """Other versions of PyTorch give other numbers, in the same lines."""
    text = README.read_text(encoding="utf-8")
    (session,) = (m for m in fences("console") if m[2] == " varying")
    whole = played(session[3], folder)
    real = shorten(whole, session[3])
    assert len(whole.splitlines()) > len(real.splitlines()) > 5
    if update:
        README.write_text(text.replace(session[3], real), encoding="utf-8")
    assert masked(real) == masked(session[3])
    best = max(entry["validation"]["accuracy"] for entry in read_metrics(str(folder / "run")) if "validation" in entry)
    assert best >= 0.97


@pytest.mark.parametrize("page", PAGES_WITH_PYTHON, ids=lambda page: page.stem)
def test_python_runs_and_prints_what_is_said(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (example,) = fences("python", page)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example[3], page.name, "exec"), {})
    lines = printed.getvalue()
    said = re.findall(r"print\(.*\)\s+# (.+)$", example[3], re.MULTILINE)
    assert said
    for one in said:
        assert one.removesuffix(", ...]") in lines
    assert (folder / "mlp.onnx").stat().st_size > 0


def test_it_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= MOST_WORDS


def test_the_names_of_commands_are_all_of_them() -> None:
    """In the table of README.md, and on the page that describes them."""
    table = README.read_text(encoding="utf-8").partition("\n## Commands\n")[2].partition("\n## ")[0]
    in_table = [
        name
        for row in re.findall(r"^\| [a-z]+(?: and [a-z]+)? \| (.*) \|$", table, re.MULTILINE)
        for name in re.findall(r"`([a-z]+)`", row)
    ]
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert sorted(in_table) == sorted(COMMANDS)
    assert sorted(re.findall(r"^\| `netc ([a-z]+)", page, re.MULTILINE)) == sorted(COMMANDS)


def test_the_page_on_python_names_what_there_is() -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    methods = set(re.findall(r"\bmodel\.(\w+)\(", page))
    functions = set(re.findall(r"\bnetc\.([A-Za-z_]+)\b", page))
    assert len(methods) >= 8
    assert len(functions) >= 6
    assert {name for name in methods if not hasattr(netc.Model, name)} == set()
    assert {name for name in functions if not hasattr(netc, name)} == set()
