"""Initializers: what is drawn against torch.nn.init, and every operator that has parameters."""

from __future__ import annotations

from math import erf, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from zoo.drawn import drawn, of_module, same_distribution

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.ops.operator import Operator
from netc.compiler.ops.parametric import ARGUMENTS, Parametric
from netc.compiler.weights.initial import draw_initial_values

SHAPE = (64, 32, 3, 3)
DRAWS = {
    "normal(0.02)": lambda t: nn.init.normal_(t, std=0.02),
    "normal(2, mean=3)": lambda t: nn.init.normal_(t, 3, 2),
    "uniform": nn.init.uniform_,
    "uniform(-2, -1)": lambda t: nn.init.uniform_(t, -2, -1),
    "trunc_normal": nn.init.trunc_normal_,
    "trunc_normal(0.02)": lambda t: nn.init.trunc_normal_(t, std=0.02),
    "trunc_normal(0.02, mean=1, a=0.98, b=1.1)": lambda t: nn.init.trunc_normal_(t, 1, 0.02, 0.98, 1.1),
    "trunc_normal(a=-0.1, b=0.2)": lambda t: nn.init.trunc_normal_(t, a=-0.1, b=0.2),
    "trunc_normal(a=1.5, b=9)": lambda t: nn.init.trunc_normal_(t, a=1.5, b=9),
    "xavier_uniform": nn.init.xavier_uniform_,
    "xavier_normal(2)": lambda t: nn.init.xavier_normal_(t, 2),
    "kaiming_uniform": nn.init.kaiming_uniform_,
    "kaiming_uniform(a=sqrt(5))": lambda t: nn.init.kaiming_uniform_(t, a=5**0.5),
    "kaiming_normal(mode=fan_out)": lambda t: nn.init.kaiming_normal_(t, mode="fan_out"),
    "kaiming_normal(nonlinearity=relu)": lambda t: nn.init.kaiming_normal_(t, nonlinearity="relu"),
    "kaiming_normal(nonlinearity=tanh)": lambda t: nn.init.kaiming_normal_(t, nonlinearity="tanh"),
    "kaiming_uniform(nonlinearity=selu)": lambda t: nn.init.kaiming_uniform_(t, nonlinearity="selu"),
    "kaiming_normal(nonlinearity=linear)": lambda t: nn.init.kaiming_normal_(t, nonlinearity="linear"),
    "kaiming_normal(nonlinearity=sigmoid)": lambda t: nn.init.kaiming_normal_(t, nonlinearity="sigmoid"),
    "orthogonal(gain=0.5)": lambda t: nn.init.orthogonal_(t, 0.5),
    "zeros": nn.init.zeros_,
    "ones": nn.init.ones_,
    "constant(0.3)": lambda t: nn.init.constant_(t, 0.3),
    "-0.3": lambda t: nn.init.constant_(t, -0.3),
}


def arrays(text: str, seed: int = 1) -> dict[str, Any]:
    return draw_initial_values(netc.compile(text).parameters, seed)


@pytest.mark.parametrize("init", DRAWS)
def test_as_torch_draws(init: str) -> None:
    """As a weight, whose draw is a statement, and as a `param`, whose draw is an expression."""
    out, inner, *kernel = SHAPE
    conv = f"conv {out} {kernel[0]}x{kernel[1]} init={init} as c"
    text = f"x = input {inner}x8x8\nw = param {list(SHAPE)} init={init} as w\nout x -> {conv}, w"
    torch.manual_seed(0)
    one = drawn(DRAWS[init](torch.empty(SHAPE)).numpy())
    wanted = {"c.weight": one, "w": one}
    found = arrays(text)
    same_distribution({name: drawn(found[name]) for name in wanted}, wanted)
    module = of_module(netc.compile(text).module())
    same_distribution({name: module[name] for name in wanted}, wanted)


@pytest.mark.parametrize("init", DRAWS)
def test_shapes_that_torch_draws(init: str) -> None:
    """Some initializers need two axes."""
    for shape in ([], [3], [3, 2], [3, 2, 4]):
        text = f"x = input 1\nw = param {shape} init={init} as w\nout x, w"
        try:
            DRAWS[init](torch.empty(shape))
        except ValueError:
            with pytest.raises(netc.CompileError):
                netc.compile(text)
        else:
            netc.compile(text)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normal_numbers(dtype: type[np.floating[Any]]) -> None:
    """The greatest distance of a million from the normal distribution, whose mean is 0.87 / sqrt(n) where they are drawn from it and which
    is above 1.95 / sqrt(n) once in a thousand times (Kolmogorov); and numbers next to each other, in pairs and far apart, do not depend on
    each other."""
    count = 1_000_000
    info = netc.compile(f"x = input 1\nw = param [{count}] {np.dtype(dtype)} init=normal(1) as w\nout x, w").parameters
    values = draw_initial_values(info, 5)["w"]
    assert values.dtype == dtype
    assert np.isfinite(values).all()
    normal = np.array([(1 + erf(x / sqrt(2))) / 2 for x in np.sort(values).tolist()])
    assert np.abs(normal - np.arange(count) / count).max() < 1.95 / sqrt(count)
    for apart in (1, 2, 1 << 14, 1 << 15):
        one, other = values[apart:], values[:-apart]
        for f in (lambda x: x, np.square, np.abs):
            assert abs(np.corrcoef(f(one), f(other))[0, 1]) < 5 / sqrt(count), apart


@pytest.mark.parametrize("count", [1, 2, 3, (1 << 15) - 1, (1 << 15) + 1])
def test_any_number_of_normal_numbers(count: int) -> None:
    values = arrays(f"x = input 1\nw = param [{count}] init=normal(1) as w\nout x, w")["w"]
    assert values.shape == (count,)
    assert len(np.unique(values)) > 0.99 * count
    assert np.abs(values).max() < 7


@pytest.mark.parametrize("features", [(12, 40), (40, 12), (12, 12)])
def test_orthogonal(features: tuple[int, int]) -> None:
    weight = arrays(f"input {features[1]} -> dense {features[0]} bias=false init=orthogonal(3)")["dense1.weight"].astype(np.float64)
    product = weight @ weight.T if features[0] <= features[1] else weight.T @ weight
    np.testing.assert_allclose(product, 9 * np.eye(min(features)), atol=1e-5)


def test_the_same_numbers_for_both_targets() -> None:
    model = netc.compile("input 8 -> dense 16 init=trunc_normal(0.02) -> dense 4 init=orthogonal")
    tensors = {t.name: t for t in model.onnx(seed=3).graph.initializer}
    for name, tensor in model.module(seed=3).state_dict().items():
        assert np.array_equal(np.frombuffer(tensors[name].raw_data, np.float32).reshape(tensor.shape), tensor.numpy()), name


USES = {
    "dense": "input 3 -> dense 4",
    "bilinear": "a = input 3; b = input 4; (a, b) -> bilinear 2",
    "embedding": "input [T] int64 -> embedding 9 4",
    "embedding_bag": "input [T] int64 -> embedding_bag 9 4",
    "deform_conv": "x = input 4x8x8; o = input 18x6x6; (x, o) -> deform_conv 4 3",
    "conv": "input 3x8x8 -> conv 4 3x3",
    "conv_transpose": "input 3x8x8 -> conv_transpose 4 3x3",
    "batch_norm": "input 3x8x8 -> batch_norm",
    "instance_norm": "input 3x8x8 -> instance_norm affine=true",
    "group_norm": "input 4x8x8 -> group_norm 2",
    "layer_norm": "input 8 -> layer_norm",
    "rms_norm": "input 8 -> rms_norm",
    "prelu": "input 3x8 -> prelu channels",
    "rnn": "input [T, 3] -> rnn 4",
    "gru": "input [T, 3] -> gru 4 layers=2 bidirectional=true",
    "lstm": "input [T, 3] -> lstm 4",
    "rnn_cell": "input 3 -> rnn_cell 4",
    "gru_cell": "input 3 -> gru_cell 4",
    "lstm_cell": "input 3 -> lstm_cell 4",
    "multihead_attention": "x = input [T, 8]; c = input [S, 6]; (x, c) -> multihead_attention 2",
}
VALUES = {"init": 0.5, "bias_init": 0.25, "recurrent_init": 0.125, "out_init": 0.0625}


def test_all_operators_are_known() -> None:
    assert set(USES) == {name for name, cls in Operator.registry.items() if issubclass(cls, Parametric)}


@pytest.mark.parametrize("name", USES)
def test_every_parameter_of_every_operator(name: str) -> None:
    cls = Operator.registry[name]
    words = [f"{argument}={value}" for argument, value in VALUES.items() if argument in cls.signature]
    model = netc.compile(f"{USES[name]} {' '.join(words)} as own")
    found, module = draw_initial_values(model.parameters, 0), dict(model.module().named_parameters())
    reached = set()
    for info in model.parameters.values():
        if info.trainable:
            (spec,) = [s for s in _specs(model) if info.name == f"own.{s.name}"]
            reached.add(ARGUMENTS[spec.role])
            assert (found[info.name] == VALUES[ARGUMENTS[spec.role]]).all()
            assert (module[info.name] == VALUES[ARGUMENTS[spec.role]]).all()
    assert reached == set(VALUES) & set(cls.signature)
    assert issubclass(cls, Parametric)
    assert cls.drawn


def _specs(model: netc.Model) -> Any:
    return next(node for node in model.program.main.nodes if node.label == "own").specs


def test_recurrent_weights_follow_the_others() -> None:
    found = arrays("input [T, 3] -> gru 4 init=0.5")
    assert (found["gru1.weight_hh_l0"] == 0.5).all()
    assert (found["gru1.weight_ih_l0"] == 0.5).all()


def test_the_last_projection_of_attention_follows_the_others() -> None:
    found = arrays("input [T, 8] -> multihead_attention 2 init=0.5")
    assert (found["multihead_attention1.in_proj_weight"] == 0.5).all()
    assert (found["multihead_attention1.out_proj.weight"] == 0.5).all()


def test_the_padding_stays_zero() -> None:
    text = "input [T] int64 -> embedding 9 4 padding_idx=2 init=ones"
    for weight in (arrays(text)["embedding1.weight"], netc.compile(text).module().embedding1.weight.detach().numpy()):
        assert [row for row in range(9) if (weight[row] == 0).all()] == [2]
        assert weight.sum() == 32


def test_a_default_without_its_parameter_has_no_effect() -> None:
    text = "default dense bias_init=ones\ninput 3 -> dense 4 bias=false"
    assert "nn.init" not in netc.compile(text).source()
    assert "init" not in write_program(netc.compile(text).program)


def test_values_of_the_language() -> None:
    block = "block wide(n, start=zeros) { dense n init=start }"
    text = f"let small = normal(0.5)\n{block}\ninput 3 -> wide 4 -> wide 5 small -> wide 6 start=uniform"
    first, second, third = [v for k, v in arrays(text).items() if k.endswith("weight")]
    assert not first.any()
    assert second.min() < 0
    assert third.min() >= 0
