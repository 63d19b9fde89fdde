"""Lists of tensors: what loops collect and iterate over, in all targets."""

from __future__ import annotations

import pytest
import torch

import netc
from netc.display.graph_text import format_program
from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile
from tests.parity import agree, arguments, flattened, inputs_for, sizes_of, tensor

CACHED = """\
let depth = 3
past_keys = input [P, 4] for _ in depth
past_values = input [P, 8] for _ in depth
x = input [T, 4]
(h, keys[], values[]) = x -> repeat (past_key, past_value) in zip(past_keys, past_values) as layers {
  key = (past_key, in -> dense 4 as k) -> concat axis=1
  value = (past_value, in -> dense 8 as v) -> concat axis=1
  out (in, key, value) -> attention -> dense 4 as o, key, value
}
out h, keys, values
"""
MASKED = """\
block unit(x: [N, T, 4], past: [N, T, 4], mask: [N, T, 4]) { y = x + past * mask -> dense 4 relu; out y, y }
let depth = 3
pasts = input [T, 4] for _ in depth
x = input [T, 4]
mask = input [T, 4]
(h, all[]) = x -> repeat past in pasts as layers { (in, past, mask) -> unit }
out h, all
"""
MODELS = {
    "cached": CACHED,
    "the same mask for all layers": MASKED,
    "one layer": CACHED.replace("depth = 3", "depth = 1"),
    "inlined": CACHED.replace(
        "repeat (past_key, past_value) in zip(past_keys, past_values) as layers",
        "repeat (i, (past_key, past_value)) in enumerate(zip(past_keys, past_values)) as layers.{i}",
    ),
    "what is passed on and collected": (
        "x = input 4\n(h, hidden[]) = x -> repeat 3 as layers { y = in -> dense 4 relu; out y, y }\nout h, hidden"
    ),
    "the first is collected": "x = input 4\n(a[], h) = x -> repeat 3 as layers { y = in -> dense 4; out y -> relu, y }\nout a, h",
    "one that is not used": (
        "x = input 4\n(h, _a[], b[]) = x -> repeat 3 as layers { y = in -> dense 4; out y, y -> relu, y -> tanh }\nout h, b"
    ),
    "next to a tuple": (
        "x = input 4\n(h, kept...) = x -> repeat 3 { (h, kept...) = in; out h -> dense 4, h, kept }\n"
        "(z, more..., sums[]) = (h, kept) -> repeat 2 as up { (h, skip, kept...) = in; out h + skip -> dense 4, kept, h * 2 }\n"
        "out z, more, sums"
    ),
    "a list as an operand": (
        "x = input 4\n(y, all[]) = x -> repeat 2 as l { h = in -> dense 4 relu; out h, h }\nout y, all -> stack axis=0"
    ),
    "a block that returns lists": (
        "block decoder {\n  (y, all[], halves[]) = in -> repeat 2 as l { h = in -> dense 4 relu; out h, h, h / 2 }\n"
        "  out y, all, halves\n}\n"
        "x = input 4\n(h, all...) = x -> decoder as model\nout h, all -> stack axis=0"
    ),
    "lists of different shapes": (
        "parts = input [w] for w in [2, 3]\nx = input 1\nx -> repeat p in parts as l { (in, p) -> concat axis=1 -> dense 4 }"
    ),
    "a list as a tuple": "parts = input [2, T] for _ in 3 where T >= 2\nparts -> concat axis=2",
    "the sizes of a list": (
        "pasts = input [P, 4] for _ in 2\nx = input [T] int64\nt = table (t) [T] = P + t\n"
        "out (x + t -> embedding 99 4), pasts -> concat axis=2, table (i) [P] = i"
    ),
    "a part of a size of a list": (
        "pasts = input [P, 4] for _ in 2 where P % 2 == 0\nx = input 4\nout x + (table (i) [4] = P // 2 * i), pasts -> concat axis=2"
    ),
    "elements": "x = input 4\n(h, all[]) = x -> repeat 3 as l { h = in -> dense 4 relu; out h, h }\nh + all[0] * all[-2]",
    "no iteration": "x = input 4\n(h, all[]) = x -> repeat 0 as l { h = in -> dense 4; out h, h }\nout h, all",
}


@pytest.mark.parametrize("name", MODELS)
def test_targets_agree(name: str) -> None:
    agree(netc.compile(MODELS[name]))


def test_the_emitted_loop() -> None:
    source = netc.compile(CACHED).source()
    assert (
        "        h = x\n"
        "        keys = []\n"
        "        values = []\n"
        "        for layer, past_key, past_value in zip(self.layers, past_keys, past_values):\n"
        "            h, key, value = layer(h, past_key, past_value)\n"
        "            keys.append(key)\n"
        "            values.append(value)\n"
        "        return h, tuple(keys), tuple(values)\n"
    ) in source
    assert "past_keys: tuple[Tensor, ...], past_values: tuple[Tensor, ...], x: Tensor" in source


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_the_loop_is_the_same_for_any_number_of_layers(depth: int) -> None:
    """It passes elements of the list, and the mask as it is."""
    source = netc.compile(MASKED, params={"depth": depth}).source()
    assert (
        "        for layer, past in zip(self.layers, pasts):\n"
        "            h, y = layer(h, past, mask)\n"
        "            all_.append(y)\n"
        "        return h, tuple(all_)\n"
    ) in source


def test_names() -> None:
    """Those of ONNX are flat; a module takes and returns tuples."""
    model = netc.compile(CACHED)
    assert list(model.inputs) == [*(f"past_keys.{i}" for i in range(3)), *(f"past_values.{i}" for i in range(3)), "x"]
    assert list(model.outputs) == ["h", *(f"keys.{i}" for i in range(3)), *(f"values.{i}" for i in range(3))]
    graph = model.onnx(seed=0).graph
    assert [one.name for one in graph.input] == list(model.inputs)
    assert [one.name for one in graph.output] == list(model.outputs)
    arrays = inputs_for(model, sizes_of(model)[0])
    given = arguments(model, [tensor(arrays[n], t) for n, t in model.inputs.items()])
    out = model.module(seed=0)(*given)
    assert [type(one) for one in out] == [torch.Tensor, tuple, tuple]
    assert len(flattened(out)) == len(model.outputs)


@pytest.mark.parametrize("name", MODELS)
def test_formatting_keeps_the_graph(name: str) -> None:
    text = MODELS[name]
    formatted, problems = format_source(SourceFile("a.net", text))
    assert formatted is not None, problems
    assert format_program(netc.compile(formatted).program) == format_program(netc.compile(text).program)


def test_a_list_has_a_limit() -> None:
    with pytest.raises(netc.CompileError, match="too-many-nodes"):
        netc.compile("past = input 4 for _ in 20_000\npast -> concat axis=1")
    with pytest.raises(netc.CompileError, match="too-many-nodes"):
        netc.compile("x = input 4\n(h, all[]) = x -> repeat 20_000 { out in -> relu, in }\nout h, all")
