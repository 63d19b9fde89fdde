"""What is the same in every layer is computed once, from buffers that are made once."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import netc
from tests.parity import agree


def attend(rotary: str = "rotary", attention: str = "causal=true") -> str:
    """A block of attention with two heads on `[N, T, 8]`."""
    split = 'rearrange "... t (h d) -> ... h t d" h=2'
    return (
        f"block attend {{ q = in -> dense 8 -> {split} -> {rotary}; k = in -> dense 8 -> {split} -> {rotary}; "
        f'(q, k, k) -> attention {attention} -> rearrange "... h t d -> ... t (h d)" }}; '
    )


LAYERS = {
    "layers": attend() + "input [T, 8] -> repeat 3 as layers { attend }",
    "blocks in layers": attend() + "block layer { in + (in -> layer_norm -> attend) }; input [T, 8] -> repeat 3 as layers { layer }",
    "a window": attend("rotary", "causal=true window=2") + "input [T, 8] -> repeat 3 as layers { attend }",
    "a causal mask": "input [T, 8] -> repeat 3 as layers { multihead_attention 2 causal=true }",
    "a causal mask and padding": "x = input [T, 8]; p = input [T] bool; none = (p, logical_not(p)) -> logical_and; "
    "x -> repeat 3 as layers { (in, none) -> multihead_attention 2 causal=true key_padding_mask=true }",
    "a causal mask of others": "x = input [T, 8]; y = input [S, 8]; "
    "x -> repeat 3 as layers { (in, y) -> multihead_attention 2 causal=true align=start }",
    "a causal mask of more": "x = input [T, 8]; y = input [S, 8] where S >= T; "
    "x -> repeat 3 as layers { (in, y) -> multihead_attention 2 causal=true align=end }",
    "a causal mask of a cache": "x = input 2xTx8; y = input 2xPx8; z = (y, x) -> concat axis=2; "
    "x -> repeat 3 as layers { (in, z, z) -> attention causal=true align=end }",
    "a causal mask with added keys": "input [T, 8] -> repeat 3 as layers { multihead_attention 2 causal=true add_bias_kv=true }",
    "two bases": attend().replace("attend {", "attend(base) {").replace("rotary", "rotary base=base")
    + "input [T, 8] -> repeat i in 0..4 as layers { attend (100 if i % 2 == 0 else 10000) }",
    "a first layer of its own": attend().replace("attend {", "attend(first) {").replace("in -> dense", "in -> (if first { sin }) -> dense")
    + "input [T, 8] -> repeat i in 0..4 as layers { attend (i == 0) }",
    "a table of the first layer": "block b(first) { h = in -> dense 4; "
    "if first { h + (table (t, k) [in.shape[1], 1] = t * 0.5) } else { h } }; input [T, 4] -> repeat i in 0..4 as layers { b (i == 0) }",
    "layers with and without": attend() + "input [T, 8] -> repeat i in 0..4 as layers { if i % 2 == 0 { attend } else { dense 8 } }",
    "layers apart": attend() + "input [T, 8] -> attend as first -> dense 8 relu -> attend as second",
    "layers of layers": attend() + "input [T, 8] -> repeat 2 as stages { repeat 2 as layers { attend -> dense 8 } }",
    "several constants": attend("rotary base=50") + "block layer { in -> rotary dims=6 -> attend -> rotary base=7 }; "
    "input [T, 8] -> repeat 3 as layers { layer }",
    "branches": attend() + "input [T, 8] -> each i in 0..3 as heads { attend } -> concat axis=-1",
    "a table": "block b { bias = table (t, k) [in.shape[1], 4] = t * 0.5 + k; (in -> dense 4) + bias }; "
    "input [T, 4] -> repeat 3 as layers { b }",
    "a table of sizes": "block b { (in -> dense 4) + (table (t) [1] float32 = in.shape[1] / 2) }; input [T, 4] -> repeat 3 as layers { b }",
    "two lengths": attend()
    + "x = input [T, 8]; y = input [S, 8]; a = x -> repeat 2 as a { attend }; b = y -> repeat 2 as b { attend }; out a, b",
    "shared by two lengths": attend() + "x = input [T, 8]; y = input [S, 8]; shared f = repeat 2 { attend }; out x -> f, y -> f",
    "features that are not known": "x = input [2, T, D] where D % 2 == 0; x -> repeat 2 as layers { rotary -> sin }",
    "several types": "x = input [2, T, 8]; y = cast(x, float64); "
    "out x -> repeat 2 as a { rotary -> sin }, y -> repeat 2 as b { rotary -> sin }",
    "captured positions": "x = input [T, 8]; at = input [T] int64; x -> repeat 3 as layers { r = in -> dense 8; (r, at) -> rotary }",
    "computed positions": "block b(x: [N, T, 8], at: [N, T]) { (x -> dense 8, at + 1) -> rotary }; "
    "x = input [T, 8]; at = input [T] int64; (x, at) -> repeat 3 as layers { (h, p) = in; out (h, p) -> b, p }",
}


@pytest.mark.parametrize("text", LAYERS.values(), ids=LAYERS.keys())
def test_the_function_stays(text: str) -> None:
    agree(netc.compile(text), export="D %" not in text)


class _Counter(TorchDispatchMode):
    """Counts the operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def ran(name: str, *inputs: torch.Tensor) -> Counter[str]:
    module = netc.compile(LAYERS[name]).module(seed=0)
    with _Counter() as counter:
        module(*inputs)
    return counter.counts


@pytest.mark.parametrize(
    ("name", "cosines"),
    [
        ("layers", 1),
        ("blocks in layers", 1),
        ("a window", 1),
        ("two bases", 4),
        ("layers with and without", 1),
        ("layers apart", 1),
        ("a first layer of its own", 1),
        ("layers of layers", 1),
        ("branches", 1),
        ("several constants", 3),
    ],
)
def test_angles_are_computed_once(name: str, cosines: int) -> None:
    """But where layers in a row need different ones, which the loop over them does not pass."""
    assert ran(name, torch.ones(2, 5, 8))["cos"] == cosines


def test_a_cache_of_lists() -> None:
    """Positions depend on a size of the lists, angles on the positions: both are computed before the loop."""
    model = netc.compile_file(Path(__file__).parents[2] / "specs/llama_cached.net", params={"depth": 3})
    past = tuple(torch.ones(1, 2, 4, 16) for _ in range(3))
    with _Counter() as counter:
        model.module(seed=0)(torch.ones(1, 5, dtype=torch.int64), past, past)
    assert counter.counts["cos"] == counter.counts["sin"] == counter.counts["tril"] == 1


def test_masks_and_tables_are_computed_once() -> None:
    assert ran("a window", torch.ones(2, 5, 8))["triu"] == 1
    assert ran("a causal mask", torch.ones(2, 5, 8))["triu"] == 1
    assert ran("a table", torch.ones(2, 5, 4))["arange"] == 2


def test_what_is_needed_once_stays_where_it_is() -> None:
    signatures = re.findall(r"def forward\((.*)\) ->", netc.compile(LAYERS["a table of the first layer"]).source())
    assert set(signatures) == {"self, x: Tensor", "self, input: Tensor"}


def test_positions_that_nothing_else_needs_are_not_passed_on() -> None:
    assert re.findall(r"def forward\((.*)\) ->", netc.compile(LAYERS["captured positions"]).source())[-2:] == [
        "self, x: Tensor, cos: Tensor, sin: Tensor",
        "self, x: Tensor, at: Tensor",
    ]


LLAMA = LAYERS["blocks in layers"]


def test_frequencies_are_made_once() -> None:
    """Every buffer of the module: the computation needs no constant that is made on the CPU each time."""
    module = netc.compile(LLAMA).module(seed=0)
    assert [name for name, _ in module.named_buffers()] == ["rotary.inv_freq"]
    assert not [name for name in module.state_dict() if "rotary" in name]
    counts = ran("blocks in layers", torch.ones(2, 5, 8))
    assert counts["arange"] == 1
    assert counts["pow"] == counts["lift_fresh"] == 0


def test_conversion_does_not_round_the_frequencies() -> None:
    module = netc.compile(LLAMA).module(seed=0)
    exact = module.rotary.inv_freq.clone()
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        assert torch.equal(module.to(dtype).rotary.inv_freq, exact)


def test_a_module_from_the_meta_device_has_its_frequencies() -> None:
    """As large models are made: without memory, then with uninitialized memory, then from a checkpoint."""
    model = netc.compile(LLAMA)
    wanted = model.module(seed=0)
    module = type(wanted).__new__(type(wanted))
    with torch.device("meta"):
        module.__init__()
    module.to_empty(device="cpu").load_state_dict(wanted.state_dict())
    x = torch.ones(2, 5, 8)
    assert torch.equal(module(x), wanted(x))


ARGUMENTS = """
block attend(heads, window) {
  q = in -> dense in.features -> rearrange "... t (h d) -> ... h t d" h=heads -> rotary
  (q, q, q) -> attention causal=true window=window -> rearrange "... h t d -> ... t (h d)"
}
block layer(heads, window, scale) {
  x = in + (table (t, k) [in.shape[1], in.features] = t / (scale * k + 1))
  x + (x -> attend heads window -> dense in.features)
}
model net(width=8, heads=2, window=3, scale=2) {
  input [T, 5] -> dense width -> repeat 3 as layers { layer heads window scale } -> dense (width + heads)
}
"""


@pytest.mark.parametrize("arguments", [{"width": 16}, {"heads": 4}, {"window": 2}, {"scale": 5}, {"width": 12, "heads": 3, "window": 4}])
def test_arguments_reach_what_is_computed_once(arguments: dict[str, int]) -> None:
    """The class that was compiled for some parameters, constructed with others, is what is compiled for those."""
    compiled = netc.compile(ARGUMENTS, params=arguments).module(seed=0)
    takes = inspect.signature(type(netc.compile(ARGUMENTS).module())).parameters
    constructed = type(netc.compile(ARGUMENTS).module())(**{name: value for name, value in arguments.items() if name in takes})
    assert set(arguments) <= set(takes)
    constructed.load_state_dict(compiled.state_dict())
    x = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(constructed(x), compiled(x))
