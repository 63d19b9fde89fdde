"""Models and summaries in notebooks: a real notebook is run, and its outputs are read."""

from __future__ import annotations

import base64
import json
import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType

import nbformat
import pytest
from nbclient import NotebookClient

import netc
from netc.compiler.weights.match_weights import to_arrays
from netc.display.notebook import compile_cell, cut_traceback

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebooks" / "first.ipynb"
VOID = {"img"}


class Balanced(HTMLParser):
    """HTML whose elements are closed in order; `texts` is what is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.texts.append(data)


def html(thing: netc.Model) -> Balanced:
    return Balanced(thing._repr_html_())


@pytest.mark.long
def test_the_notebook_runs_and_shows_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETC_DEBUG")  # which shows all frames
    notebook = nbformat.read(NOTEBOOK, 4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}).execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    _, mlp, summary, broken, classifier, shape, wrong = (json.loads(json.dumps(o)) for o in outputs)
    image = re.search(r"data:image/svg\+xml;base64,([\w+/=]+)", mlp[0]["data"]["text/html"])
    assert image is not None
    assert "dense1" in "".join(ET.fromstring(base64.b64decode(image[1])).itertext())
    assert "11 (44 B with buffers)" in " ".join(" ".join(Balanced(summary[0]["data"]["text/html"]).texts).split())
    assert broken[0]["ename"] == "CompileError"
    assert "cannot multiply [N, 5] and [1, 5]" in "".join(broken[0]["traceback"])
    assert "File" not in "".join(broken[0]["traceback"])
    assert "4,672" in classifier[0]["data"]["text/html"]
    assert shape[0]["data"]["text/plain"] == "torch.Size([1, 10])"
    assert wrong[0]["ename"] == "ValueError"
    assert "netc/" not in "".join(wrong[0]["traceback"])
    assert "seed=-" in "".join(wrong[0]["traceback"])


def test_a_model_shows_its_types_stages_and_picture() -> None:
    shown = html(netc.compile("x = input [T, 8]\nx -> repeat 3 as layers { dense 8 relu } -> dense 2"))
    text = " ".join(shown.texts)
    for word in ("x: [N, T, 8]", "layers", "dense1", "[N, T, 2]", "234"):
        assert word in text
    assert shown.seen.count("img") == 1
    assert shown.seen.count("details") >= 3


def test_a_shared_and_a_deep_model_are_whole() -> None:
    inner = "in -> dense 4"
    for _ in range(30):
        inner = f"in -> ({inner}) as a"
    assert "details" in html(netc.compile(f"input 4 -> ({inner.removeprefix('in -> ')}) as b")).seen
    assert "dense" in " ".join(html(netc.compile("shared f = dense 4\nx = input 4\nf(x) + f(x)")).texts)


@pytest.mark.slow
def test_a_long_model_is_cut() -> None:
    text = "x0 = input 4\n" + "\n".join(f"x{n + 1} = x{n} -> dense 4 as l{n}\ny{n} = x{n + 1} -> relu" for n in range(1500))
    shown = html(netc.compile(text + "\nout x1500, " + ", ".join(f"y{n}" for n in range(1500))))
    assert "..." in shown.texts


def test_names_are_text() -> None:
    model = netc.compile("input 4 -> dense 4")
    model.name = model.program.main.name = '<script>alert("x")</script>'
    assert "script" not in html(model).seen


def test_options_of_a_cell() -> None:
    cell = "let width = 8\nmodel a() { input [T, 4] -> dense width }\nmodel b() { input 4 -> dense 2 }"
    name, model = compile_cell("m --model a --dim T=3", cell)
    assert (name, str(model.outputs["output"])) == ("m", "[N, 3, 8]")


@pytest.mark.parametrize(
    ("line", "words"),
    [("1a", "not a name"), ("if", "not a name"), ("m --set width", "NAME=VALUE"), ("m --dim T=x", "integer"), ("m --sett x=1", "%%net")],
)
def test_words_that_make_no_sense(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compile_cell(line, "input [T, 4] -> dense 2")


def test_warnings_of_a_cell_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    compile_cell("", "x = input 4\nunused = x -> dense 3\nx -> dense 2")
    assert "unused" in capsys.readouterr().err


def frames(trace: TracebackType | None) -> list[str]:
    found = []
    while trace is not None:
        found.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return found


def trace_of(call: object) -> TracebackType | None:
    try:
        call()  # type: ignore[operator]
    except Exception:
        return sys.exc_info()[2]
    raise AssertionError("no error")


def test_frames_of_netc_are_left_out() -> None:
    def asks() -> None:
        netc.compile("input 4 -> dense 2").module(seed=-1)

    whole = trace_of(asks)
    assert len(frames(whole)) > 3
    assert frames(cut_traceback(whole)) == ["trace_of", "asks"]


@pytest.mark.parametrize("line", ["two words", "-x", 'm --model "a'])
def test_frames_of_what_reads_the_line_of_a_cell_are_left_out(line: str) -> None:
    def asks() -> None:
        compile_cell(line, "input 3")

    assert frames(cut_traceback(trace_of(asks))) == ["trace_of", "asks"]


def test_frames_of_code_that_netc_calls_are_kept() -> None:
    class Mine(dict[str, object]):
        def items(self) -> object:  # type: ignore[override]
            raise ValueError("mine")

    whole = trace_of(lambda: to_arrays(Mine(a=1)))
    assert frames(cut_traceback(whole)) == frames(whole)
    assert frames(whole)[-1] == "items"
