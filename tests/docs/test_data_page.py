"""docs/data.md is true: its Python makes the data that its specs read, and its commands run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.analysis import Choice, analyze_training
from netc.cli import cli
from netc.dsl.source import SourceFile
from netc.training.data.data_formats import FORMATS
from netc.training.locate_data import DataRequest
from netc.training.open_data import open_data
from netc.training.recipe import read_recipe

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_format_has_its_section() -> None:
    assert re.findall(r"^## (\w+)$", TEXT, re.MULTILINE) == list(FORMATS)


def test_every_option_is_described() -> None:
    for name, format in FORMATS.items():
        section = TEXT.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert [o.name for o in format.options if f"`{o.name}" not in section] == []


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("pyarrow", "sklearn", "webdataset"):
        pytest.importorskip(package, reason=f"{package} is not installed")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    first = next(text for kind, _, text in FENCE.findall(TEXT) if kind == "net")
    Path("iris.net").write_text(first, encoding="utf-8")
    for kind, name, text in FENCE.findall(TEXT):
        if name:
            Path(name).write_text(text, encoding="utf-8")
        elif kind == "python":
            exec(compile(text, str(PAGE), "exec"), names)
        elif kind == "net":
            assert opened(text) == []
        else:
            for line in text.splitlines():
                run(line)


def opened(text: str) -> list[str]:
    """What is wrong with the data of a spec in the working directory."""
    analysis = analyze_training(SourceFile("spec.net", text), Choice())
    assert analysis.diagnostics == ()
    assert analysis.training is not None
    recipe, problems = read_recipe(analysis.training)
    return [d.message for d in (*problems, *open_data(analysis.training, recipe, DataRequest()).diagnostics)]


def run(line: str) -> None:
    words = shlex.split(line.removeprefix("$ netc "))
    done = CliRunner().invoke(cli, [*words[:-1], f"run{hash(line)}", "--steps", "1"], prog_name="netc")
    assert done.exit_code == 0, done.output
