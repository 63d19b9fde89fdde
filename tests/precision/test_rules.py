"""What has which element type in a model of another type than float32."""

from __future__ import annotations

import pytest
import torch

import netc
from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.ops.shape import Cast

HALF = ("bfloat16", "float16")

TYPES = {
    # What the spec gives no type is of the model.
    "input 3 -> dense 2": "{} [N, 2]",
    "input [T] int64 -> embedding 9 4": "{} [N, T, 4]",
    "x = input 3; x + (param [3] as p)": "{} [N, 3]",
    "x = input 3; x + (table (i) [3] = i * 0.5)": "{} [N, 3]",
    "x = input 4; cast(x > 0, x.dtype)": "{} [N, 4]",
    "input 8x9x9 -> conv 4 3x3 -> batch_norm relu -> max_pool 2": "{} [N, 4, 3, 3]",
    "input [T, 3] -> lstm 4": "{} [N, T, 4]",
    # What it gives one has that.
    "input 3 -> cast float32": "[N, 3]",
    "input 3 -> cast float32 -> layer_norm": "[N, 3]",
    "input 3 -> cast float32 -> layer_norm -> cast float64": "float64 [N, 3]",
    "x = input 3; x + (param [3] float32 as p)": "[N, 3]",
    "input [T] int64 -> embedding 9 4 dtype=float32": "[N, T, 4]",
    "default embedding dtype=float32; input [T] int64 -> embedding 9 4": "[N, T, 4]",
    "x = input 3; x * (x -> cast float32)": "[N, 3]",
    # What is of no tensor of the model is float32, until it meets one, or a layer.
    "input [4] int64 -> cast float32 -> sin": "[N, 4]",
    "input [4] int64 -> cast float32 -> sin -> dense 3": "{} [N, 3]",
    "i = input [4] int64; i / 2": "[N, 4]",
    "i = input [4] int64; i / 2 -> dense 3": "{} [N, 3]",
    "x = input 4; m = input 4 bool; x * cast(m, float32)": "{} [N, 4]",
    "x = input 4; m = input 4 float32; x * m": "{} [N, 4]",
    "input 4 float32 -> dense 2": "{} [N, 2]",
    "x = input 4; t = table (i) [4] float32 = i * 0.5; x * t": "{} [N, 4]",
    "x = input 4; t = table (i) [4] float32 = i * 0.5; out x * t, t -> sin": "{} [N, 4]",
    "i = input [T] int64; i -> one_hot 4 dtype=float32 -> gru 3": "{} [N, T, 3]",
    "block scaled(x: [N, 4], m: [N, 4]) { (x -> dense 4) * m }; x = input 4; m = input 4 bool; "
    "(x, cast(m, float32)) -> repeat 3 as layers { (h, k) = in; out (h, k) -> scaled, k } -> concat axis=1": "{} [N, 8]",
    "x = input [T, 8]; z = table (n, i) [N, 16] float32 = 0; x -> scan (h = z) axis=1 { h = (in, h) -> gru_cell 16 }": "{} [N, T, 16]",
    "x = input [T, 8]; z = table (n, i) [N, 8] = 0.0; x -> scan (h = z) axis=1 { h = in + h * 0.5 }": "{} [N, T, 8]",
    "x = input 4; i = input [4] int64; if training { x } else { cast(i, float32) } -> dense 2": "{} [N, 2]",
    # Losses.
    "x = input 5; t = input [] int64; (x, t) -> cross_entropy": "[]",
    "x = input 5; t = input 5; (x, t) -> mse_loss reduction=none": "[N, 5]",
}
"""A model, and the type of its first output; `{}` is the type of the model."""


@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("text", TYPES)
def test_types(text: str, dtype: str) -> None:
    model = netc.compile(text, dtype=dtype)
    assert str(next(iter(model.outputs.values()))) == TYPES[text].format(dtype)
    module = model.module(seed=0).eval()
    given = [
        torch.ones([2 if not isinstance(d, int) else d for d in t.shape], dtype=getattr(torch, t.dtype.name)) for t in model.inputs.values()
    ]
    with torch.no_grad():
        found = module(*given)
    results = found if isinstance(found, tuple) else (found,)
    assert [str(y.dtype) for y in results] == [f"torch.{t.dtype}" for t in model.outputs.values()]
    if dtype == "float16":
        arrays = {name: x.numpy() for name, x in zip(model.inputs, given, strict=True)}
        made = model.session(weights=module.state_dict())(**arrays)
        assert [y.dtype.name for y in (made.values() if isinstance(made, dict) else (made,))] == [
            str(t.dtype) for t in model.outputs.values()
        ]


@pytest.mark.parametrize("text", TYPES)
def test_float32_changes_nothing(text: str) -> None:
    assert netc.compile(text, dtype="float32").source() == netc.compile(text).source()


def test_wider() -> None:
    """A table without a type has the precision of a wider model from the start; one of float32 does not."""
    model = netc.compile("x = input 3; out x * (table (i) [3] = i * 0.1), x * (table (i) [3] float32 = i * 0.1)", dtype="float64")
    given = torch.ones(1, 3, dtype=torch.float64)
    own, written = model.module()(given)
    assert own.dtype == written.dtype == torch.float64
    assert own.tolist()[0] == [0.0, 0.1, 0.2]
    assert written[0, 1] == torch.tensor(0.1).double() != own[0, 1]


def test_keys_stay() -> None:
    """A conversion before the only stage of a body is no stage: the state dict has the keys of float32."""
    text = "block one { dense 4 }; i = input [4] int64; cast(i, float32) -> one -> one as two -> repeat 2 as layers { one }"
    assert list(netc.compile(text, dtype="bfloat16").parameters) == list(netc.compile(text).parameters)


@pytest.mark.parametrize("dtype", [*HALF, "float64"])
def test_keep_io(dtype: str) -> None:
    lines = "past = input [T, 4] for _ in 2", "own = input [T, 4] float16", "y = past -> concat axis=2 -> dense 4", "out y, own, y > 0"
    text = "; ".join(lines)
    model = netc.compile(text, dtype=dtype, keep_io=True)
    kept = netc.compile(text)
    assert {k: str(t) for k, t in model.inputs.items()} == {k: str(t) for k, t in kept.inputs.items()}
    shown = {k: str(t) for k, t in kept.outputs.items()}
    if dtype == "float16":  # the output that is of this type anyway
        shown["own_"] = "[N, T, 4]"
    assert {k: str(t) for k, t in model.outputs.items()} == shown
    assert {str(p.dtype) for p in model.parameters.values()} == {dtype}
    past = tuple(torch.randn(2, 3, 4) for _ in range(2))
    own = torch.randn(2, 3, 4).half()
    module = kept.module(seed=0).double()
    y, _, positive = model.module(module.state_dict())(past, own)
    assert y.dtype == torch.float32
    wanted = module(tuple(x.double() for x in past), own)[0].detach()
    bound = 8 * max(torch.finfo(getattr(torch, dtype)).eps, torch.finfo(torch.float32).eps) * float(wanted.abs().max())
    assert float((y.detach() - wanted).abs().max()) <= bound
    assert positive.dtype == torch.bool


def casts(model: netc.Model) -> list[str]:
    return [n.label for g in collect_graphs(model.program.main) for n in g.nodes if isinstance(n, OpNode) and isinstance(n.op, Cast)]


def test_a_mask_is_converted_once() -> None:
    """In the model, not in each of the layers; a table is made in the type of the model."""
    mask = "table (n, i, j) [1, T, T] = where(j <= i, 0, -1e4)"
    body = "h = in; s = h @ (h -> transpose 1 2) + mask; (s -> softmax axis=-1) @ h -> dense 8"
    text = f"x = input [T, 8]; mask = {mask}; x -> repeat 12 as layers {{ {body} }}"
    assert casts(netc.compile(text, dtype="bfloat16")) == []
    asked = text.replace(f"mask = {mask}", "m = input [T, T] bool batch=false; mask = (cast(m, float32) - 1) * 1e4 -> unsqueeze 0")
    assert casts(netc.compile(asked, dtype="bfloat16")) == ["cast1", "cast3"]  # the text's own, and one more


def test_positions_keep_their_precision() -> None:
    """The 999th step is not rounded to the 1000th."""
    text = "step = input [] int64; f = table (k) [4] float32 = 10.0 ** -k; a = (step -> cast float32 -> unsqueeze 1) * f; sin(a) -> dense 3"
    wide, narrow = netc.compile(text), netc.compile(text, dtype="bfloat16")
    step = torch.tensor([999, 998, 3])
    with torch.no_grad():
        wanted, found = wide.module(seed=0)(step), narrow.module(seed=0)(step)
    torch.testing.assert_close(found.float(), wanted, rtol=0, atol=4 * torch.finfo(torch.bfloat16).eps)


def test_rules_see_the_type() -> None:
    """What an operator refuses of a type, it refuses where the option gives it that."""
    with pytest.raises(netc.CompileError) as raised:
        netc.compile("input 8 -> rfft", dtype="float16")
    assert "`rfft` needs float32 or float64, found float16 [N, 8]" in str(raised.value)
    with pytest.raises(netc.CompileError):
        netc.compile("input 8 -> clamp -1e6 1e6", dtype="float16")
    netc.compile("input 8 -> cast float32 -> rfft", dtype="float16")


def test_summary_counts_bytes() -> None:
    model = netc.compile("input 64 -> dense 64")
    assert "8.32 kB" in str(model.summary(dtype="float16"))
    assert "16.64 kB" in str(model.summary())


@pytest.mark.parametrize("alias", ["half", torch.half])
def test_an_alias_of_pytorch_names_a_type(alias: object) -> None:
    assert str(netc.compile("input 3 -> dense 2", dtype=alias).outputs["output"]) == "float16 [N, 2]"


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16])
def test_ways_to_name_a_type(dtype: object) -> None:
    model = netc.compile("input 3 -> dense 2")
    for made in (netc.compile("input 3 -> dense 2", dtype=dtype), model.in_type(dtype)):
        assert str(made.outputs["output"]) == "bfloat16 [N, 2]"
    assert "torch.bfloat16" in model.source(dtype=dtype)
    assert model.module(dtype=dtype).dense1.weight.dtype == torch.bfloat16
    assert model.onnx(dtype=dtype).graph.initializer[0].data_type == 16
    assert model.in_type() is model
    assert model.in_type("float16").in_type("float32").source() == model.source()


def test_wrong_arguments() -> None:
    for dtype in ("int64", "short", "float99", "Float16", "", 3, torch.int8):
        with pytest.raises(ValueError, match="dtype must be one of float32, float16, bfloat16, float64"):
            netc.compile("input 3 -> dense 2", dtype=dtype)
    with pytest.raises(ValueError, match="keep_io needs a dtype"):
        netc.compile("input 3 -> dense 2", keep_io=True)
    with pytest.raises(TypeError, match="`keep_io` must be a bool, not str"):
        netc.compile("input 3 -> dense 2", dtype="float16", keep_io="yes")
    with pytest.raises(ValueError, match="made of a program"):
        netc.Model(netc.compile("input 3 -> dense 2").program).module(dtype="float16")


def test_other_types_are_other_specs() -> None:
    """Their hashes differ, which ONNX models keep."""
    model = netc.compile("input 3 -> dense 2")
    hashes = [
        {p.key: p.value for p in model.onnx(dtype=d, keep_io=k).metadata_props}
        for d, k in ((None, False), ("float16", False), ("float16", True))
    ]
    assert len({str(found) for found in hashes}) == 3


def test_a_state_that_becomes_float32_is_said_to_be_so() -> None:
    text = "x = input [T, 4]; z = table (n, i) [N, 4] = 0.0; y = x -> cast float32; y -> scan (h = z) axis=1 { h = h * 0.5 + in }"
    with pytest.raises(netc.CompileError, match=r"begins as bfloat16 \[N, 4\], but after a step it is float32 \[N, 4\]"):
        netc.compile(text, dtype="bfloat16")
