"""Names and strings of a spec, a file or a model reach no terminal as what would control it: not ESC, not C1, DEL or the marks that reverse
the reading direction. A terminal's title can be set by a name, and its text hidden."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

Netc = Callable[..., Any]

EVIL = "D\x1b]0;t\x07\x9b31m\x7f\u202e\u2066\x0b"
"""An escape of the title, one of C1, DEL, marks that reverse the direction, and a vertical tab."""
FORMATS = ("text", "short", "json", "sarif", "github")
TEXTS = (
    f'input 3 -> einsum "{EVIL}"',
    f'input 3 -> dense 2 as "{EVIL}"',
    f'use "{EVIL}.net"\ninput 3',
    f'input 3 -> activation "{EVIL}"  # {EVIL}',
    f"input 3 -> {EVIL}",
)


def has_controls(text: str) -> list[str]:
    """The characters that are not printed, except line ends."""
    return sorted({c for c in text if not c.isprintable() and c != "\n"})


@pytest.fixture
def evil_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """An ONNX file, in a folder of its own, whose axis, input, output and node have such a name."""
    monkeypatch.chdir(tmp_path)
    x = helper.make_tensor_value_info(EVIL, TensorProto.FLOAT, [EVIL, 3])
    y = helper.make_tensor_value_info("y" + EVIL, TensorProto.FLOAT, [EVIL, 3])
    graph = helper.make_graph([helper.make_node("Relu", [EVIL], ["y" + EVIL], name=EVIL)], EVIL, [x], [y])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "e.onnx")
    return "e.onnx"


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("text", TEXTS)
def test_diagnostics(netc: Netc, form: str, text: str) -> None:
    done = netc("check", "--format", form, "-e", text)
    assert done.exit_code == 1
    assert has_controls(done.output) == []
    if form == "json" and "einsum" in text:  # which is the same name for programs
        assert EVIL in json.loads(done.stdout)[0]["message"]


@pytest.mark.parametrize("form", FORMATS)
def test_names_of_files(netc: Netc, form: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"a{EVIL}.net").write_text("input 3 -> dens 2")
    assert has_controls(netc("check", "--format", form, f"a{EVIL}.net").output) == []
    assert has_controls(netc("check", "--format", form, f"missing{EVIL}.net").output) == []


@pytest.mark.parametrize(
    "words",
    [
        ("import", "-o", "a.net"),
        ("import", "-o", "a.net", "--no-verify", "--force"),
        ("bench", "--rounds", "1"),
        ("bench", "--rounds", "1", "--json"),
        ("run",),
    ],
)
@pytest.mark.sample(2)
def test_models(netc: Netc, evil_model: str, words: tuple[str, ...]) -> None:
    done = netc(words[0], evil_model, *words[1:])
    assert has_controls(done.output) == []


def test_what_was_written(netc: Netc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    done = netc("draw", "-e", "input 3 -> relu", "-o", f"a{EVIL}.svg")
    assert has_controls(done.output) == []


def test_colors_stay(netc: Netc) -> None:
    done = netc("check", "-e", f'input 3 -> einsum "{EVIL}"', env={"FORCE_COLOR": "1", "NO_COLOR": ""})
    assert has_controls(done.output.replace("\x1b[", "")) == []
    assert "\x1b[1;31m" in done.output
