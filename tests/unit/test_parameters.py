"""Names, order and ties of parameters, as PyTorch's state dict has them."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.analysis.state_dict import ParameterInfo, collect_parameters, count_parameters


def infos(text: str, *, transient: bool = False) -> dict[str, ParameterInfo]:
    return collect_parameters(netc.compile(text).program, transient=transient)


BLOCK = """
block basic(width) {
  scale = param [width] init=ones as scale
  shift = param [width] trainable=false as shift
  main = in -> dense width as fc -> batch_norm relu as bn
  main * scale + shift
}
input 4 -> repeat 2 as layers { basic 4 } -> dense 2 as head
"""


def test_order_is_that_of_a_state_dict() -> None:
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    block = ["scale", "shift", "fc.weight", "fc.bias", *(f"bn.{n}" for n in norm)]
    expected = [f"layers.{i}.{n}" for i in range(2) for n in block] + ["head.weight", "head.bias"]
    assert list(infos(BLOCK)) == expected


def test_what_is_known_of_each() -> None:
    found = infos(BLOCK)
    assert found["layers.1.fc.weight"].shape == (4, 4)
    assert found["layers.1.fc.weight"].operator == "dense"
    assert found["layers.1.fc.weight"].span.text.startswith("dense width")
    assert found["layers.0.scale"].init.kind == "ones"
    assert found["layers.0.scale"].trainable
    assert not found["layers.0.shift"].trainable
    assert found["layers.0.bn.num_batches_tracked"].dtype.name == "int64"
    assert found["layers.0.bn.num_batches_tracked"].shape == ()


def test_count_leaves_buffers_out() -> None:
    assert count_parameters(infos(BLOCK)) == 2 * (4 + 16 + 4 + 4 + 4) + 10


def test_a_tied_parameter_names_its_target_and_counts_once() -> None:
    found = infos("tokens = input [T] int64; tokens -> embedding 10 8 as wte -> dense 10 bias=false tie=wte as head")
    assert found["head.weight"].tied_to == "wte.weight"
    assert found["wte.weight"].tied_to is None
    assert count_parameters(found) == 80


def test_a_chain_of_ties_ends_at_the_last() -> None:
    text = """
    input 8 -> dense 8 bias=false as a -> dense 8 bias=false tie=a as b -> dense 8 bias=false tie=b as c
    """
    assert {n: i.tied_to for n, i in infos(text).items()} == {"a.weight": None, "b.weight": "a.weight", "c.weight": "a.weight"}


def test_a_shared_stage_is_there_once_where_it_was_declared() -> None:
    text = "shared encoder = (dense 4 -> relu -> dense 4); a = input 3; b = input 3; (a -> encoder, b -> encoder) -> concat axis=1"
    assert list(infos(text)) == ["encoder.0.weight", "encoder.0.bias", "encoder.2.weight", "encoder.2.bias"]


def test_a_shared_stage_used_within_blocks() -> None:
    text = """
    shared mix = dense 4
    input 4 -> repeat 3 as layers { mix -> dense 4 as own } -> mix
    """
    own = [f"layers.{i}.own.{n}" for i in range(3) for n in ("weight", "bias")]
    assert sorted(infos(text)) == sorted(["mix.weight", "mix.bias", *own])


def test_transient_buffers_are_told_on_demand() -> None:
    text = "x = input 4; scale = table (i) [4] = i; kept = table (i) [4] = i * 2 as kept; x + scale + kept"
    assert list(infos(text)) == ["kept"]
    everything = infos(text, transient=True)
    assert sorted(info.persistent for info in everything.values()) == [False, True]


@pytest.mark.parametrize("repeats", [3, 20_000])
def test_repeats(repeats: int) -> None:
    found = infos(f"input 4 -> repeat {repeats} as layers {{ dense 4 relu }}")
    assert len(found) == 2 * repeats
    assert f"layers.{repeats - 1}.0.weight" in found


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        "tokens = input [T] int64; tokens -> embedding 10 8 as wte -> dense 10 bias=false tie=wte as head",
        "shared mix = (dense 4 -> batch_norm)\ninput 4 -> repeat 3 as layers { mix -> dense 4 as own } -> mix",
        "x = input 4; t = table (i) [4] = i as kept; p = param [4] as last; (x + t -> dense 4) + p",
        "input [T, 8] -> multihead_attention 2 as attn -> layer_norm as norm",
    ],
)
def test_the_module_has_the_same_in_the_same_order(text: str) -> None:
    model = netc.compile(text)
    assert list(model.module().state_dict()) == list(collect_parameters(model.program))
