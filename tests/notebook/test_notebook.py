"""Models and summaries in notebooks: a real notebook is run, and its outputs are read."""

from __future__ import annotations

import base64
import json
import re
import signal
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from typing import Any

import nbformat
import numpy as np
import pytest
from IPython.display import SVG
from nbclient import NotebookClient

import netc
from netc.compiler.weights.match_weights import to_arrays
from netc.display.live_curve import LiveCurve
from netc.display.notebook import compile_cell, cut_traceback, read_options, train_cell

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
def test_the_notebook_runs_and_shows_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETC_DEBUG")  # which shows all frames
    notebook = nbformat.read(NOTEBOOK, 4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    _, mlp, summary, broken, classifier, shape, _, trained, predicted, wrong = (json.loads(json.dumps(o)) for o in outputs)
    image = re.search(r"data:image/svg\+xml;base64,([\w+/=]+)", mlp[0]["data"]["text/html"])
    assert image is not None
    assert "dense1" in "".join(ET.fromstring(base64.b64decode(image[1])).itertext())
    assert "11 (44 B with buffers)" in " ".join(" ".join(Balanced(summary[0]["data"]["text/html"]).texts).split())
    assert broken[0]["ename"] == "CompileError"
    assert "cannot multiply [N, 5] and [1, 5]" in "".join(broken[0]["traceback"])
    assert "File" not in "".join(broken[0]["traceback"])
    assert "4,672" in classifier[0]["data"]["text/html"]
    assert shape[0]["data"]["text/plain"] == "torch.Size([1, 10])"
    curves = [output for output in trained if output["output_type"] == "display_data"]
    assert [sorted(output["data"]) for output in curves] == [["image/svg+xml", "text/plain"]]  # one picture, drawn again in its place
    assert curves[0]["data"]["image/svg+xml"].strip() == (tmp_path / "run" / "curves.svg").read_text().strip()
    assert float(re.findall(r"[\d.]+", predicted[0]["data"]["text/plain"])[0]) == pytest.approx(7, abs=0.01)
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


@pytest.mark.long
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
    options = read_options("m --model a --dim T=3")
    assert (options.name, str(compile_cell(options, cell).outputs["output"])) == ("m", "[N, 3, 8]")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1a", "not a name"),
        ("if", "not a name"),
        ("m --set width", "NAME=VALUE"),
        ("m --dim T=x", "integer"),
        ("m --sett x=1", "%%net"),
        ("m --data x", "--train RUN"),
    ],
)
def test_words_that_make_no_sense(line: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        compile_cell(read_options(line), "input [T, 4] -> dense 2")


def test_warnings_of_a_cell_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    compile_cell(read_options(""), "x = input 4\nunused = x -> dense 3\nx -> dense 2")
    assert "unused" in capsys.readouterr().err


LINE = """
x = input 1
y = x -> dense 1
train {
  target = input 1
  loss = (y, target) -> mse_loss
  optimizer sgd lr=0.1
  epochs 40
  batch 5
}
"""


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The pictures that a notebook would show, in order; each replaces the one before."""
    pictures: list[str] = []

    class Handle:
        def update(self, picture: SVG) -> None:
            pictures.append(picture.data)

    def display(picture: SVG, display_id: bool) -> Handle:
        assert display_id
        assert not pictures
        pictures.append(picture.data)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    return pictures


def train_line(line: str, variables: dict[str, object], text: str = LINE) -> None:
    options = read_options(line)
    train_cell(compile_cell(options, text), options, variables)


def test_a_cell_with_a_section_trains_with_a_curve(
    tmp_path: Path, drawn: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    numbers = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
    train_line("m --train run --data table", {"table": {"x": numbers, "target": 2 * numbers + 1}})
    assert "netc.load('run')" in capsys.readouterr().out
    # the judge is the curve that the run folder has, and the line that the data are on
    assert drawn[-1] == (tmp_path / "run" / "curves.svg").read_text().strip()
    assert float(netc.load("run")({"x": [[3.0]]})["predicted_target"][0]) == pytest.approx(7, abs=1e-3)
    with pytest.raises(ValueError, match="run"):  # a run is never overwritten
        train_line("m --train run --data table", {"table": {"x": numbers, "target": numbers}})


def test_what_cannot_train_leaves_no_folder_and_no_curve(tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(netc.CompileError, match="no train section"):
        train_line("--train run", {}, "input 1 -> dense 1")
    with pytest.raises(netc.CompileError, match="table"):  # no variable of this name: data as on the command line
        train_line("--train run --data table", {})
    assert not list(tmp_path.iterdir())
    assert not drawn


def test_an_interrupted_cell_says_how_to_go_on(
    tmp_path: Path, drawn: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    draw = LiveCurve.draw

    def draw_and_stop(curve: LiveCurve) -> None:
        if len(curve.entries) == 1:  # the stop button of the kernel, in the first epoch
            signal.raise_signal(signal.SIGINT)
        draw(curve)

    monkeypatch.setattr(LiveCurve, "draw", draw_and_stop)
    table = {name: np.ones((20, 1), np.float32) for name in ("x", "target")}
    train_line("--train run --data table", {"table": table})
    stopped = re.search(r"stopped at step (\d+); netc.train\(resume='run'\) continues", capsys.readouterr().out)
    assert stopped is not None
    assert int(stopped[1]) < 160
    assert netc.train(resume="run", data=table).steps == 160


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
        read_options(line)

    assert frames(cut_traceback(trace_of(asks))) == ["trace_of", "asks"]


def test_frames_of_code_that_netc_calls_are_kept() -> None:
    class Mine(dict[str, object]):
        def items(self) -> object:  # type: ignore[override]
            raise ValueError("mine")

    whole = trace_of(lambda: to_arrays(Mine(a=1)))
    assert frames(cut_traceback(whole)) == frames(whole)
    assert frames(whole)[-1] == "items"


class Shell:
    """What the extension asks of IPython's shell."""

    def __init__(self) -> None:
        self.user_ns: dict[str, Any] = {}
        self.magics: dict[tuple[str, str], Callable[[str, str], object]] = {}
        self.handlers: list[tuple[tuple[type[BaseException], ...], Callable[..., None]]] = []
        self.shown: list[tuple[type[BaseException], BaseException, list[str], int | None]] = []

    def register_magic_function(self, function: Callable[[str, str], object], magic_kind: str, magic_name: str) -> None:
        self.magics[magic_kind, magic_name] = function

    def set_custom_exc(self, kinds: tuple[type[BaseException], ...], handler: Callable[..., None]) -> None:
        self.handlers.append((kinds, handler))

    def showtraceback(self, error: tuple[type[BaseException], BaseException, TracebackType | None], tb_offset: int | None) -> None:
        self.shown.append((error[0], error[1], frames(error[2]), tb_offset))


def test_the_magic_of_the_extension(tmp_path: Path, drawn: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NETC_DEBUG")
    shell = Shell()
    netc.load_ipython_extension(shell)
    magic = shell.magics["cell", "net"]
    model = magic("m --dim T=3", "input [T, 4] -> dense 2")
    assert shell.user_ns == {"m": model}
    assert str(shell.user_ns["m"].outputs["output"]) == "[N, 3, 2]"
    shell.user_ns["table"] = {name: np.ones((20, 1), np.float32) for name in ("x", "target")}
    assert magic("n --train run --data table", LINE) is None
    assert ((tmp_path / "run").is_dir(), len(drawn) > 0) == (True, True)

    ((kinds, handler),) = shell.handlers
    error = ValueError("seed")
    trace = trace_of(lambda: shell.user_ns["m"].module(seed=-1))
    handler(shell, ValueError, error, trace, tb_offset=2)
    assert shell.shown == [(ValueError, error, ["trace_of", "<lambda>"], 2)]
    assert issubclass(netc.CompileError, kinds)
    assert not issubclass(KeyError, kinds)


def test_all_frames_are_shown_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETC_DEBUG", "1")
    shell = Shell()
    netc.load_ipython_extension(shell)
    assert (len(shell.magics), shell.handlers) == (1, [])
