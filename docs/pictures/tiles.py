"""The four pictures below the moving one: import, streams, training and the editor."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from block import Block
from click.testing import CliRunner
from editor_states import Line, check_text, color_lines, complete_text, hover_text
from pygments.lexers import PythonLexer
from window_svg import ADVANCE, BAR, LEADING, LEFT, SIZE, color_report, draw_code, draw_line, draw_rule, draw_text, draw_window

import netc
from netc.cli import cli
from netc.highlighting import NetLexer

WIDTH, HEIGHT = 520, 376
"""In the proportions of the curves that `netc plot` draws."""
FIRST = BAR + 26
COLUMNS = int((WIDTH - 2 * LEFT) / ADVANCE)
DECODER = """\
tokens = input [T] int64
x = tokens -> embedding 1000 64 as words
x + (x -> layer_norm -> multihead_attention 4 causal=true)
  -> layer_norm -> dense 1000 as head"""
TYPED = """\
image = input 3x32x32
h = image -> conv 16 3x3 padding=1 relu
h -> conv 32 3x3 pa"""
OFFERED = 2


def draw_import() -> str:
    """A module of PyTorch, and the text that netc makes of it."""
    source = color_lines(inspect.getsource(Block).rstrip("\n"), PythonLexer())
    model = netc.from_torch(Block(), torch.zeros(2, 64), verify=False)
    text = "\n".join(line for line in model.spec().strip().splitlines() if line and not line.startswith("#"))
    command = "$ netc import block.py:Block --input 64 -o block.net"
    return draw_window("block.py", [*draw_text(source, FIRST), *_panel(len(source), command, color_lines(text, NetLexer()))], WIDTH, HEIGHT)


def draw_stream() -> str:
    """A decoder, and what netc says about its form with a cache."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "decoder.net")
        path.write_text(DECODER + "\n", encoding="utf-8")
        checked = CliRunner().invoke(cli, ["check", str(path), "--causal", "T"], prog_name="netc")
        compiled = CliRunner().invoke(cli, ["compile", str(path), "--stream", "T", "-o", f"{folder}/decoder.onnx"], prog_name="netc")
    said = [line for line in checked.output.splitlines() if line != "no errors"]
    notes = [line.replace(f"{folder}/", "") for line in compiled.output.splitlines() if "`next_" in line]
    code = color_lines(DECODER, NetLexer())
    rows = [*draw_text(code, FIRST), *_panel(len(code), "$ netc check decoder.net --causal T", _wrap(said))]
    rows += _panel(len(code) + len(_wrap(said)) + 2, "$ netc compile decoder.net --stream T -o decoder.onnx", _wrap(notes))
    return draw_window("decoder.net", rows, WIDTH, HEIGHT)


def draw_editor() -> str:
    """A text that is being typed: shapes, an error, and the arguments that begin with its last letters."""
    state = check_text(TYPED, "image.net")
    lines = TYPED.split("\n")
    typed = lines[-1].rpartition(" ")[2]
    offers = [one for one in complete_text(TYPED, "image.net") if one.label.startswith(typed)][:OFFERED]
    top, left = FIRST + LEADING * len(lines) - 10, LEFT + ADVANCE * (len(lines[-1]) - len(typed))
    popup = [f'<rect class="box frame" x="{left - 8:.1f}" y="{top}" width="210" height="{LEADING * len(offers) + 8}" rx="4"/>']
    popup += [draw_line(((one.label, "name"),), top + LEADING * n + 18, left) for n, one in enumerate(offers, 0)]
    about = _wrap(f"{one.label}  {one.detail}" for one in offers)
    rows = [*draw_code(state, FIRST, (len(lines) - 1, len(lines[-1]))), *popup]
    rows += draw_text(about, top + LEADING * (len(offers) + 1) + SIZE + 8)
    rows += _panel(
        len(lines) + len(offers) + len(about) + 2, "hover: conv 16 3x3", _wrap(hover_text(TYPED, "image.net", TYPED.index("conv")))
    )
    return draw_window("image.net", rows, WIDTH, HEIGHT)


def _panel(above: int, command: str, output: Iterable[Line]) -> Iterator[str]:
    """A command and its output, below some lines."""
    top = FIRST + LEADING * above
    yield draw_rule(top, WIDTH)
    yield draw_line(((command, "faint"),), top + 22, size="head")
    yield from draw_text(output, top + 22 + LEADING + 4)


def _wrap(lines: Iterable[str]) -> tuple[Line, ...]:
    return color_report("\n".join(part for line in lines for part in textwrap.wrap(line, COLUMNS, subsequent_indent="  ")))
