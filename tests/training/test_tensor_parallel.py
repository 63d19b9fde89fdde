"""`--tp`: what is split is found from the graph, and several processes that share layers give what one gives: with gloo, on the CPU."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import nn

import netc
from netc.analysis import Choice, Spec
from netc.compiler.errors.run_errors import RunError
from netc.compiler.ir.training_program import Training
from netc.dsl.source import SourceFile
from netc.training import run_training
from netc.training.ranks import Ranks, _check_processes
from netc.training.shardable_layers import COLUMNS, HEADS, PACKED, ROWS, measure_split_share, plan_sharding, require_sharding_plan
from netc.training.tensor_parallel import use_local_generator
from tests.training import runs
from tests.training.test_ranks import assert_close, begin, train, write_data

SPECS = Path(__file__).parents[2] / "specs"
SPEC = """
block grouped(heads, fewer) {
  let head = in.features // heads
  q = in -> dense (heads * head) as q -> rearrange "n t (h d) -> n h t d" h=heads -> rotary
  k = in -> dense (fewer * head) bias=false as k -> rearrange "n t (h d) -> n h t d" h=fewer -> rotary
  v = in -> dense (fewer * head) as v -> rearrange "n t (h d) -> n h t d" h=fewer
  (q, k, v) -> attention causal=true -> rearrange "n h t d -> n t (h d)" -> dense in.features as o
}
block packed(heads) {
  (queries, k, v) = in -> dense (3 * in.features) as qkv -> chunk 3 axis=-1
  q = queries -> rearrange "n t (h d) -> n h t d" h=heads
  (q, k -> rearrange "n t (h d) -> n h t d" h=heads, v -> rearrange "n t (h d) -> n h t d" h=heads)
    -> attention causal=true -> rearrange "n h t d -> n t (h d)" -> dense in.features as proj
}
block layer(width) {
  a = in + (in -> layer_norm -> grouped 4 2 as grouped)
  b = a + (a -> layer_norm -> multihead_attention 4 causal=true as attention)
  c = b + (b -> layer_norm -> dense (2 * width) gelu as up -> dense width as down)
  d = c + (c -> layer_norm -> packed 4 as packed)
  gate = d -> dense width silu as gate
  d + (gate * (d -> dense width bias=false as value) -> dense width as mixed)
}
tokens = input [T] int64
scores = tokens -> embedding 50 16 -> repeat 2 as layers { layer 16 } -> layer_norm -> dense 50 as head
train {
  target = input [T] int64
  loss = (scores -> transpose 1 2, target) -> cross_entropy ignore_index=-100
  metric accuracy = (scores -> argmax axis=2) == target -> cast float32 -> mean
  optimizer adamw lr=1e-2 eps=1e-4
  schedule warmup 5 -> cosine
  batch 16 accumulate=2
  epochs 2
  clip 0.5
  ema 0.9
  validate 0.25
}
"""
"""The biases of keys have no effect, and gradients that are rounding alone: without `eps`, adamw would scale them up to steps."""
WINDOWS = """
block window_attention(heads) {
  index = table (k) [9] = k // 3 - k % 3 + 2
  bias = ((param [5, heads] init=normal(1) as bias_table), index) -> index_select 0 -> rearrange "(i j) h -> h i j" i=3
  all = (param [3, 3] init=normal(1) as bias)
  (queries, k, v) = in -> dense (3 * in.features) as qkv -> chunk 3 axis=-1
  q = queries -> rearrange "n w t (h d) -> n w h t d" h=heads
  (q, k -> rearrange "n w t (h d) -> n w h t d" h=heads, v -> rearrange "n w t (h d) -> n w h t d" h=heads, bias + all)
    -> attention -> rearrange "n w h t d -> n w t (h d)" -> dense in.features as proj
}
tokens = input [6] int64
x = tokens -> embedding 50 12 -> rearrange "n (w t) d -> n w t d" w=2
a = x + (x -> layer_norm -> window_attention 4 as first)
b = a + (a -> layer_norm -> window_attention 3 as second)
h = (b -> layer_norm) @ (param [12, 12] init=normal(0.1) as first_product -> transpose 0 1) -> relu
c = b + h @ (param [12, 12] init=normal(0.1) as product)
common = param [3, 3] init=normal(1) as common
z = c -> rearrange "n w t d -> n (w t) d"
q = z -> dense 12 as q -> rearrange "n (w t) (h d) -> n w h t d" w=2 h=2
d = z + ((q, q, q, common) -> attention -> rearrange "n w h t d -> n (w t) (h d)" -> dense 12 as o)
scores = d -> layer_norm -> dense 50 as head
train {
  target = input [6] int64
  loss = (scores -> transpose 1 2, target) -> cross_entropy ignore_index=-100
  optimizer adamw lr=1e-2 eps=1e-4
  batch 16 accumulate=2
  steps 12
  clip 0.5
}
"""
"""Windows with learned masks, one for each head and one for all; three heads, which two devices cannot share; products with parameters."""
WEIGHTS = 1e-6


def training_of(text: str) -> Training:
    return Spec(SourceFile("spec.net", text), Choice()).elaborate_training(None)


def ways(text: str, devices: int = 2) -> dict[str, str]:
    """What is split, of a model with the input `x` and the output `y`."""
    return dict(require_sharding_plan(training_of(f"x = input [T, 8]\n{text}\ntrain {{ loss = y -> mean }}"), devices).styles)


def said(text: str, devices: int = 2) -> str:
    with pytest.raises(netc.CompileError) as caught:
        ways(text, devices)
    return str(caught.value)


def test_what_is_split() -> None:
    training = training_of(SPEC)
    splits = require_sharding_plan(training, 2)
    layer = {"grouped.q": COLUMNS, "grouped.k": COLUMNS, "grouped.v": COLUMNS, "grouped.o": ROWS, "attention": HEADS, "up": COLUMNS}
    layer |= {"down": ROWS, "gate": COLUMNS, "value": COLUMNS, "mixed": ROWS, "packed.qkv": PACKED, "packed.proj": ROWS}
    assert splits.styles == {f"layers.{i}.{name}": way for i in range(2) for name, way in layer.items()}
    assert splits.packed_counts == {"layers.0.packed.qkv": 3, "layers.1.packed.qkv": 3}
    assert splits.unsplit == {"head": "it is an output of the model"}
    assert 0.5 < measure_split_share(training, splits) < 0.9
    assert "24 layers, 22 of `dense` and 2 of `multihead_attention`; whole on each: `head`" in splits.format_summary(2)


def test_pairs_need_all_that_is_between_them_in_parts() -> None:
    assert ways("y = x -> dense 8 relu as a -> dense 4 as b") == {"a": COLUMNS, "b": ROWS}
    four = ways("y = x -> dense 8 as a -> dense 4 as b -> dense 8 as c -> dense 2 as d")
    assert four == {"a": COLUMNS, "b": ROWS, "c": COLUMNS, "d": ROWS}
    assert "`layer_norm` takes all of what it computes" in said("y = x -> dense 8 as a -> layer_norm -> dense 4 as b")
    assert "`softmax` takes all of what it computes" in said("y = x -> dense 8 as a -> softmax axis=-1 -> dense 4 as b")
    assert "`glu` takes all of what it computes" in said("y = x -> dense 8 as a -> glu axis=-1 -> dense 4 as b")
    assert "`add` joins it with what is whole" in said("y = (x -> layer_norm) + (x -> dense 8 as a) -> dense 4 as b")
    assert "its parameters are used twice" in said("shared m = dense 8\ny = x -> m -> m")
    # What is before and after a `scan` is not in it.
    scan = "scan axis=1 { in -> relu }"
    around = ways(f"y = x -> dense 8 as a -> dense 8 as b -> {scan} -> {scan} -> dense 8 as c -> dense 2 as d")
    assert around == {"a": COLUMNS, "b": ROWS, "c": COLUMNS, "d": ROWS}
    assert "it is in a `scan`" in said("y = x -> scan axis=1 { in -> dense 8 relu as a -> dense 8 as b }")


def test_several_results_of_one_product() -> None:
    """They are divided each by itself, if they are equally large and nothing takes them together."""
    assert ways("(p, q) = x -> dense 8 as a -> chunk 2 axis=-1\ny = p * sigmoid(q) -> dense 4 as b") == {"a": PACKED, "b": ROWS}
    assert ways("(p, q) = x -> dense 8 as a -> split 4 axis=2\ny = p + q -> dense 4 as b") == {"a": PACKED, "b": ROWS}
    assert "`split` takes all of what it computes" in said(
        "(p, q) = x -> dense 8 as a -> split [2, 6] axis=-1\ny = p -> dense 4 as b\nout y, q"
    )
    together = "h = x -> dense 8 as a\n(p, q) = h -> chunk 2 axis=-1\ny = p * q -> dense 4 as b"
    assert ways(together) == {"a": PACKED, "b": ROWS}
    assert "taken as a whole too" in said(f"{together}\nz = h -> dense 2 as c\nout y, z")
    assert "`a` has 3 features" in said("(p, q) = x -> dense 6 as a -> chunk 2 axis=-1\ny = p * q -> dense 4 as b").replace("chunk1", "a")
    assert "it is an output of the model" in said(
        "h = x -> dense 8 as a\n(p, q) = h -> chunk 2 axis=-1\ny = p * q -> dense 4 as b\nout y, h"
    )
    activated = "(p, q) = x -> dense 8 relu as a -> chunk 2 axis=-1\ny = p * q -> dense 4 as b"
    assert "`chunk` takes all of what it computes" in said(activated)


def test_axes_that_move() -> None:
    """Moved and divided features stay in parts, unless they are joined with an axis that is before them in memory."""
    pair = {"a": COLUMNS, "b": ROWS}
    assert ways("y = x -> dense 8 as a -> transpose 1 2 -> permute [0, 2, 1] -> dense 4 as b") == pair
    assert ways("y = x -> dense 8 as a -> unflatten axis=-1 sizes=[2, 4] -> flatten start=2 end=3 -> dense 4 as b") == pair
    apart = "y = x -> dense 8 as a -> unflatten axis=1 sizes=[T, 1] {} -> flatten start=1 end=2 -> dense 4 as b"
    assert ways(apart.format("-> softmax axis=1")) == pair
    assert "`softmax` takes all of what it computes" in said(apart.format("-> softmax axis=-1"))
    assert "takes all of what it computes" in said(
        "y = x -> dense 8 as a -> unflatten axis=-1 sizes=[2, 4] -> flatten start=1 end=2 -> dense 4 as b"
    )


@pytest.mark.parametrize(
    ("world", "strategy", "tensor", "message"),
    [
        (3, None, 2, "`--tp 2` has 2 processes share each layer, and there are 3"),
        (4, "ddp", 2, "has whole parameters in each process"),
        (1, "ddp", 1, None),
        (4, "fsdp", 2, None),
        (4, "ddp", 1, None),
    ],
)
def test_processes_that_share(world: int, strategy: str | None, tensor: int, message: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", str(world))
    with nullcontext() if message is None else pytest.raises(RunError, match=message):
        _check_processes(world, strategy, tensor)


def test_devices_drop_different_places() -> None:
    """And what is drawn afterwards is the same on all of them."""
    drawn, after = [], []
    for rank in (0, 1, 0):
        torch.manual_seed(5)
        with use_local_generator(rank, torch.device("cpu")):
            drawn.append(torch.rand(100))
        after.append(torch.rand(100))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.isin(drawn[0], drawn[1]).any()
    assert torch.equal(after[0], after[1])


def test_a_whole_tensor_without_a_gradient_may_meet_parts() -> None:
    """A table of positions is the same on all devices; one that is learned would get a part of its gradient."""
    assert ways("y = (x -> dense 8 as a) * 2 -> dense 4 as b") == {"a": COLUMNS, "b": ROWS}
    assert ways("p = x -> sum axis=-1 -> unsqueeze (-1)\ny = (x -> dense 8 as a) * p -> dense 4 as b") == {"a": COLUMNS, "b": ROWS}
    assert "`mul` joins it with what is whole" in said(
        "p = x -> dense 2 as p -> sum axis=-1 -> unsqueeze (-1)\ny = (x -> dense 8 as a) * p -> dense 4 as b"
    )


def test_what_cannot_be_divided() -> None:
    heads = said("y = x -> multihead_attention 4 as attention", 3)
    assert "`attention` has 4 heads, which 3 devices cannot share" in heads
    assert "leave out `--tp`" in heads
    assert "has 6 features" in said("y = x -> dense 6 as a -> dense 4 as b", 4)
    assert ways("y = x -> dense 6 as a -> dense 8 as b -> dense 8 as c -> dense 4 as d", 4) == {"c": COLUMNS, "d": ROWS}
    product = said("y = x @ (param [8, 8] init=normal(1) as w) -> relu -> dense 4 as b")
    assert "`w`: it is multiplied by `@`, and only layers are divided" in product
    several = said("y = x -> dense 4 as a\nb = x -> dense 4 as b\nc = x -> dense 4 as c\nd = x -> dense 4 as d\nout y, b, c, d")
    nothing = said("y = x -> layer_norm -> dense 4")
    assert ("`c`" in several, "`d`" in several) == (True, False)  # three reasons are enough
    assert "no layer of this model can be divided over 2 devices" in nothing
    assert "`dense1`: it is an output of the model" in nothing


def test_a_run_of_what_cannot_be_divided_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written; the two processes are not started, as they would only meet here."""
    monkeypatch.setattr(run_training, "join_ranks", lambda *_: nullcontext(Ranks(world=2, tensor=2)))
    with pytest.raises(netc.CompileError) as caught:
        runs.train(tmp_path / "run", tp=2)
    assert [found.code for found in caught.value.diagnostics] == ["cannot-split"]
    assert not (tmp_path / "run").exists()


PUBLISHED = {
    "text/llama.net": ("network", {"width": 64, "depth": 2, "heads": 4, "shared_heads": 2, "hidden": 96, "vocabulary": 50}, 14),
    "text/bert.net": ("network", {"width": 16, "depth": 2, "heads": 2}, 12),
    "vision/swin.net": ("swin_t", {}, 44),
    "gpt.net": (None, {}, 12),
}


@pytest.mark.parametrize("path", [pytest.param(path, marks=pytest.mark.long if path == "vision/swin.net" else ()) for path in PUBLISHED])
def test_published_models(path: str) -> None:
    """What is split is a module of PyTorch of the right kind, under the path of its parameters."""
    name, params, count = PUBLISHED[path]
    model = netc.compile_file(SPECS / path, model=name, params=params)
    splits = plan_sharding(model.program, 2)
    assert len(splits.styles) == count
    module = model.module()
    for layer, way in splits.styles.items():
        assert isinstance(module.get_submodule(layer), nn.MultiheadAttention if way == HEADS else nn.Linear)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec, data, and `one`: the run of one process."""
    made = tmp_path_factory.mktemp("tensor")
    write_data(made)
    (made / "spec.net").write_text(SPEC)
    begin(made, 1, "one")
    return made


@pytest.mark.long
def test_two_processes_share_the_layers(folder: Path) -> None:
    assert_close(folder / "one", begin(folder, 2, "tp2", "--tp", "2"), weights=WEIGHTS)


def test_masks_of_heads() -> None:
    splits = require_sharding_plan(training_of(WINDOWS), 2)
    assert splits.styles == {"first.qkv": PACKED, "first.proj": ROWS, "q": COLUMNS, "o": ROWS}
    assert splits.heads == {"first.qkv", "q"}
    product = "it is multiplied by `@`, and only layers are divided"
    assert {path: splits.unsplit[path] for path in ("first_product", "product")} == {"first_product": product, "product": product}
    assert "3 heads that cannot be divided" in splits.unsplit["second.qkv"]


@pytest.mark.long
def test_two_processes_share_heads_with_masks_of_their_own(folder: Path) -> None:
    (folder / "windows.net").write_text(WINDOWS)
    train(folder, 1, "windows.net", "--data", "data.npz", "-o", "windows")
    train(folder, 2, "windows.net", "--data", "data.npz", "-o", "windows-tp", "--tp", "2")
    assert_close(folder / "windows", folder / "windows-tp", weights=WEIGHTS)


@pytest.mark.long
def test_two_replicas_of_two_processes(folder: Path) -> None:
    assert_close(folder / "one", begin(folder, 4, "tp2dp2", "--tp", "2", "--strategy", "fsdp"), weights=WEIGHTS)


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize(
    ("first", "ranks", "then"),
    [
        (("--tp", "2"), 1, ()),
        (("--tp", "2"), 2, ("--strategy", "fsdp", "--tp", "1")),
        (("--strategy", "fsdp"), 2, ("--tp", "2")),
        ((), 2, ("--tp", "2")),
    ],
)
def test_resumed_with_other_shares(first: tuple[str, ...], ranks: int, then: tuple[str, ...], folder: Path) -> None:
    run = folder / f"from{''.join(first)}-{ranks}{''.join(then)}"
    train(folder, 2 if first else 1, "spec.net", "--data", "data.npz", "-o", run.name, *first, stopped_at=1)
    assert len((run / "metrics.jsonl").read_text().splitlines()) < 24
    train(folder, ranks, "--resume", run.name, *then)
    assert_close(folder / "one", run)
