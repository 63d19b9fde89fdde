"""`make cuda` on a CPU: the same code, with few models. What needs a GPU is not tested here."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
import torch
from page_sections import replace_section

import netc
from on_device import models, page
from on_device.__main__ import device_name, main
from on_device.compared import Compared, compared
from on_device.speeds import AGAINST, Network, Speed, speeds

TINY = ("vocabulary=96", "width=32", "hidden=48", "depth=1", "heads=4", "shared_heads=2")
WORDS = ("--model", "network", *(word for one in TINY for word in ("--set", one)))
STREAM = Network("Llama, a token", "text/llama.net", WORDS, ("N=1", "T=1", "P=4"), "T")


@pytest.mark.parametrize("part", list(models.PARTS))
def test_a_part_computes_what_the_cpu_does(part: str) -> None:
    for name, model, inputs in islice(models.PARTS[part](), 5):
        assert compared(name, model, inputs, "cpu") == Compared(name, (), (), ())


def test_what_is_wrong_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    model, other = netc.compile("input 3 -> relu"), netc.compile("input 3 -> tanh")
    monkeypatch.setattr(model, "session", other.session)
    found = compared("relu", model, [torch.ones(2, 3)], "cpu")
    assert len(found.wrong) == 1
    assert found.wrong[0].startswith("ONNX Runtime, output 0: differs by")


@pytest.mark.long
def test_speeds_of_a_stream(tmp_path: Path) -> None:
    (found,) = speeds("cpu", tmp_path, (STREAM,), ("float32",))
    assert (found.network, found.dtype, found.missing) == (STREAM.name, "float32", "")
    assert list(found.ratios) == list(AGAINST)


@pytest.mark.long
def test_what_cannot_be_measured_has_a_reason(tmp_path: Path) -> None:
    (found,) = speeds("cpu", tmp_path, (Network("none", "text/llama.net", ("--model", "nothing"), ()),), ("float32",))
    assert (found.latency, found.ratios) == (None, {})
    assert "no model `nothing`" in found.missing


def test_figures_replace_those_before() -> None:
    found = {"zoo": [Compared("a", (), (), ("NonZero `x`",)), Compared("b", ("is wrong",), (), ())]}
    text = page.figures("a card", found, [Speed("GPT-2", "float16", 0.002, {"torch": 1.5}, "no compiler")])
    now = replace_section(page.PAGE.read_text(encoding="utf-8"), page.SECTION, text)
    assert now == replace_section(now, page.SECTION, text)
    assert "never run" not in now
    assert "- zoo: 1 of 2 compute in both targets what the CPU computes; nodes without a kernel on the device: NonZero" in now
    assert "| GPT-2 | float16 | 2 ms | 1.50 |  |  | no compiler" in now


def test_without_a_gpu_nothing_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert main(["--update"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("nothing was run: PyTorch")
    assert device_name("cpu") == ("a CPU", "")
