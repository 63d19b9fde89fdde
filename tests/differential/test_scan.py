"""`scan` against loops written by hand, and PyTorch's own cells and layers: the module, its source and ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import netc
from tests.parity import Targets, executed, inputs_for, sizes_of

Module = nn.Module
Loop = Callable[..., tuple[Tensor, ...]]


def stacked(tensors: list[Tensor], axis: int = 1) -> Tensor:
    return torch.stack(tensors, axis)


def check(spec: str, loop: Loop, *inputs: tuple[Tensor, ...], tolerance: float = 1e-5) -> netc.Model:
    """The model computes what the loop does, which gets the module and the inputs."""
    model = netc.compile(spec)
    module = model.module(seed=0).eval()
    source = executed(model, module.state_dict())
    proto = model.onnx(seed=0)
    onnx.checker.check_model(proto, full_check=True)
    session = model.session(seed=0)
    for given in inputs:
        with torch.no_grad():
            wanted = loop(module, *given)
            for found in (module(*given), source(*given), session(*(x.numpy() for x in given))):
                several = list(found.values()) if isinstance(found, dict) else list(found) if isinstance(found, tuple) else [found]
                assert len(several) == len(wanted)
                for left, right in zip(several, wanted, strict=True):
                    made = torch.as_tensor(np.asarray(left))
                    assert made.dtype == right.dtype
                    torch.testing.assert_close(made, right, rtol=tolerance, atol=tolerance)
    return model


def sequences(*lengths: int, batch: int = 3, features: int = 4) -> list[tuple[Tensor, ...]]:
    generator = torch.Generator().manual_seed(0)
    return [(torch.randn(n, length, features, generator=generator),) for length in lengths for n in (1, batch)]


# --- recurrent layers of PyTorch as the judge --------------------------------------------------------------------------------

GRU = """
x = input [T, 4]
start = table (n, i) [N, 6] float32 = 0
(y, last) = x -> scan (h = start) axis=1 { h = (in, h) -> gru_cell 6 as cell }
out y, last
"""
LSTM = """
x = input [T, 4]
start = table (n, i) [N, 6] float32 = 0
(y, h, c) = x -> scan (h = start, c = start) axis=1 {
  (h, c) = (in, h, c) -> lstm_cell 6 as cell
  out h
}
out y, h, c
"""


def gru(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    layer = nn.GRU(4, 6, batch_first=True)
    layer.load_state_dict({f"{name}_l0": tensor for name, tensor in module.cell.state_dict().items()})
    y, last = layer(x)
    return y, last[0]


def lstm(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    layer = nn.LSTM(4, 6, batch_first=True)
    layer.load_state_dict({f"{name}_l0": tensor for name, tensor in module.cell.state_dict().items()})
    y, (h, c) = layer(x)
    return y, h[0], c[0]


@pytest.mark.parametrize(("spec", "loop"), [(GRU, gru), (LSTM, lstm)], ids=["gru", "lstm"])
def test_layers(spec: str, loop: Loop) -> None:
    model = check(spec, loop, *sequences(1, 2, 17))
    assert list(model.parameters) == [f"cell.{n}" for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


# --- loops by hand -----------------------------------------------------------------------------------------------------------


def decayed(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    h, found = torch.zeros(x.shape[0], 4), []
    for t in range(x.shape[1]):
        h = module.decay * h + x[:, t]
        found.append(h)
    return (stacked(found),)


def reversed_(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    (y,) = decayed(module, x.flip(1))
    return (y.flip(1),)


def several(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    """Two scanned tensors, on different axes, two states, two results, and a last state."""
    up, down = x.transpose(1, 2), x * 2
    total, count, sums, means = torch.zeros(x.shape[0], 4), torch.zeros(1), [], []
    for t in range(x.shape[1]):
        total, count = total + up[:, :, t] * down[:, t], count + 1
        sums.append(total)
        means.append(total / count)
    return stacked(sums, -1), stacked(means, -1), count


def swapped(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    """States that are exchanged, and results that are states before the step."""
    a, b, found = torch.zeros(x.shape[0], 4), x[:, 0], []
    for t in range(x.shape[1]):
        found.append(a * 2 + b)
        a, b = b, a + x[:, t]
    return stacked(found), a, b


def counted(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    """States of int64 and bool."""
    count, ever, counts, evers = torch.zeros(x.shape[0], 4, dtype=torch.int64), torch.zeros(x.shape[0], 4, dtype=torch.bool), [], []
    for t in range(x.shape[1]):
        above = x[:, t] > 0
        count, ever = count + above, ever | above
        counts.append(count)
        evers.append(ever)
    return stacked(counts), stacked(evers)


def delayed(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    """A state that is the input of the step before."""
    return (torch.cat((torch.zeros(x.shape[0], 1, 4), x[:, :-1]), 1), x[:, -1])


def mapped(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    return (module.dense1(x),)


def within(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    """A loop over rows in a loop over columns, with a state of the outer one in the inner one."""
    image = x[:, :, :, None] * torch.arange(1, 4)
    total, found = torch.zeros(x.shape[0]), []
    for t in range(image.shape[1]):
        inner, row = total, []
        for s in range(4):
            inner = 0.5 * inner + image[:, t, s].sum(-1)
            row.append(inner)
        total = inner
        found.append(stacked(row))
    return (stacked(found), total)


def captured(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    """Attention of each step's state over all positions: the whole sequence, a tuple and a parameter from outside."""
    keys, values = module.dense1(x).chunk(2, -1)
    h, found = module.first.expand(x.shape[0], 4), []
    for t in range(x.shape[1]):
        weights = (keys * h[:, None]).sum(-1).softmax(-1)
        h = torch.tanh(x[:, t] + (weights[:, :, None] * values).sum(1)) * module.gain
        found.append(h)
    return (stacked(found),)


def layered(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    """A repeat in the step, and the scan in a repeat."""
    for layer in module.blocks:
        h, found = torch.zeros(x.shape[0], 4), []
        for t in range(x.shape[1]):
            h = x[:, t] + h
            for dense in layer.deep:
                h = dense(h).tanh() if isinstance(dense, nn.Linear) else dense(h)
            found.append(h)
        x = x + stacked(found)
    return (x,)


def used_twice(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    def run(block: Module, x: Tensor) -> Tensor:
        h, found = torch.zeros(x.shape[0], block.cell.hidden_size), []
        for t in range(x.shape[1]):
            h = block.cell(x[:, t], h)
            found.append(h)
        return stacked(found)

    return (run(module.second, run(module.first, x)),)


def shared(module: Module, x: Tensor) -> tuple[Tensor, ...]:
    h, found = torch.zeros(x.shape[0], 4), []
    for t in range(x.shape[1]):
        h = module.mix(h) + module.mix(x[:, t])
        found.append(h)
    return (module.mix(stacked(found)),)


ZEROS = "start = table (n, i) [N, 4] float32 = 0\n"
LOOPS: list[tuple[str, Loop]] = [
    ("x = input [T, 4]\n" + ZEROS + "x -> scan (h = start) axis=1 { h = param [4] init=0.5 as decay * h + in }", decayed),
    ("x = input [T, 4]\n" + ZEROS + "x -> scan (h = start) axis=-2 reverse=true { h = param [4] init=0.5 as decay * h + in }", reversed_),
    (
        "x = input [T, 4]\n" + ZEROS + "up = x -> transpose 1 2\nnone = table (i) [1] float32 = 0\n"
        "(sums, means, _, count) = (up, x * 2) -> scan (total = start, count = none) axis=[-1, 1] {\n"
        "  (a, b) = in\n  total = total + a * b\n  count = count + 1\n  out total, total / count\n}\nout sums, means, count",
        several,
    ),
    (
        "x = input [T, 4]\n" + ZEROS + "(y, a, b) = x -> scan (a = start, b = x -> select 1 0) axis=1 {\n"
        "  before = a\n  y = a * 2 + b\n  a = b\n  b = before + in\n  out y\n}\nout y, a, b",
        swapped,
    ),
    (
        "x = input [T, 4]\nnone = table (n, i) [N, 4] int64 = 0\nfalse_ = none > 0\n"
        "x -> scan (count = none, ever = false_) axis=1 {\n"
        "  above = in > 0\n  count = count + (above -> cast int64)\n  ever = (ever, above) -> logical_or\n  out count, ever\n}",
        counted,
    ),
    (
        "x = input [T, 4]\n" + ZEROS + "(y, last) = x -> scan (before = start) axis=1 { y = before + 0; before = in; out y }\nout y, last",
        delayed,
    ),
    ("x = input [T, 4]\nx -> scan axis=1 { dense 4 }", mapped),
    (
        "x = input [T, 4]\nnone = table (n) [N] float32 = 0\nsteps = table (i) [3] float32 = i + 1\n"
        "(y, last) = unsqueeze(x, -1) * steps -> scan (total = none) axis=1 {\n"
        "  (row, total) = in -> scan (inner = total) axis=1 { inner = 0.5 * inner + sum(in, axis=-1) }\n  out row\n}\nout y, last",
        within,
    ),
    (
        "x = input [T, 4]\npair = x -> dense 8 -> chunk 2 axis=-1\nfirst = param [1, 4] init=0.3 as first -> expand [N, 4]\n"
        "gain = param [4] init=0.9 as gain\n"
        "x -> scan (h = first) axis=1 {\n  (keys, values) = pair\n  weights = keys * unsqueeze(h, 1) -> sum axis=-1 -> softmax axis=-1\n"
        "  h = tanh(in + sum(unsqueeze(weights, -1) * values, axis=1)) * gain\n}",
        captured,
    ),
    (
        "block one {\n  none = table (n, i) [N, 4] float32 = 0\n  "
        "in + (in -> scan (h = none) axis=1 { h = in + h -> repeat 2 as deep { dense 4 tanh } })\n}\n"
        "input [T, 4] -> repeat 3 as blocks { one as _ }",
        layered,
    ),
    (
        "block recurrent(width) {\n  none = table (n, i) [N, width] float32 = 0\n"
        "  in -> scan (h = none) axis=1 { h = (in, h) -> gru_cell width as cell }\n}\n"
        "input [T, 4] -> recurrent 5 as first -> recurrent 7 as second",
        used_twice,
    ),
    (
        "x = input [T, 4]\n" + ZEROS + "shared mix = (dense 4)\nx -> scan (h = start) axis=1 { h = (h -> mix) + (in -> mix) } -> mix",
        shared,
    ),
]


@pytest.mark.parametrize(("spec", "loop"), LOOPS, ids=[loop.__name__ for _, loop in LOOPS])
def test_loops(spec: str, loop: Loop) -> None:
    check(spec, loop, *sequences(1, 2, 9))


@pytest.mark.parametrize("spec", [spec for spec, _ in LOOPS], ids=[loop.__name__ for _, loop in LOOPS])
def test_graph(spec: str) -> None:
    """The loop of the typed graph, run by the reference that the other differential tests use."""
    model = netc.compile(spec)
    targets = Targets(model)
    for sizes in sizes_of(model):
        targets.compare(sizes, inputs_for(model, sizes), lambda *_: 1e-5)


# --- training ----------------------------------------------------------------------------------------------------------------


def gradients(module: Module, results: tuple[Tensor, ...]) -> dict[str, Tensor]:
    module.zero_grad()
    sum(result.square().sum() for result in results).backward()  # type: ignore[union-attr]
    return {name: parameter.grad.clone() for name, parameter in module.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize(("spec", "loop"), [(GRU, None), *LOOPS], ids=["gru", *(loop.__name__ for _, loop in LOOPS)])
def test_training(spec: str, loop: Loop | None) -> None:
    """The gradients of the parameters and of the input equal the loop's."""
    module = netc.compile(spec).module(seed=0).train()
    if not list(module.parameters()):
        return
    ((x,),) = sequences(7)[1:]

    def by_hand(module: Module, x: Tensor) -> tuple[Tensor, ...]:
        h, found = torch.zeros(x.shape[0], 6), []
        for t in range(x.shape[1]):
            h = module.cell(x[:, t], h)
            found.append(h)
        return stacked(found), h

    pairs = []
    for run in (lambda x: module(x), lambda x: (loop or by_hand)(module, x)):
        given = x.clone().requires_grad_()
        made = run(given)
        pairs.append({**gradients(module, made if isinstance(made, tuple) else (made,)), "input": given.grad})
    assert pairs[0].keys() == pairs[1].keys()
    for name, gradient in pairs[0].items():
        torch.testing.assert_close(gradient, pairs[1][name], msg=lambda text, name=name: f"{name}: {text}")


# --- element types -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize(("spec", "loop"), [(GRU, None), *LOOPS])
def test_converted(spec: str, loop: Loop | None, dtype: torch.dtype) -> None:
    """The module works in the type that it is converted to, and its results have it."""
    module = netc.compile(spec).module(seed=0).eval()
    ((x,),) = sequences(5)[1:]
    with torch.no_grad():
        wanted = module(x)
        found = module.to(dtype)(x.to(dtype))
    for left, right in zip(*([r] if isinstance(r, Tensor) else r for r in (found, wanted)), strict=True):
        assert left.dtype == (dtype if right.is_floating_point() else right.dtype)
        torch.testing.assert_close(left.to(right.dtype), right, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("name", ["float16", "float64"])
def test_declared(name: str) -> None:
    """States and inputs of another type in the spec."""
    spec = (
        f"x = input [T, 4] {name}\nstart = table (n, i) [N, 4] {name} = 0\n"
        f"x -> scan (h = start) axis=1 {{ h = param [4] {name} init=0.5 as decay * h + in }}"
    )

    def loop(module: Module, x: Tensor) -> tuple[Tensor, ...]:
        h, found = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            h = module.decay * h + x[:, t]
            found.append(h)
        return (stacked(found),)

    check(spec, loop, *[(x.to(getattr(torch, name)),) for (x,) in sequences(1, 5)], tolerance=1e-2 if name == "float16" else 1e-9)


# --- sizes -------------------------------------------------------------------------------------------------------------------


def test_known_length() -> None:
    """A length that is a number, and one that `--dim` makes a number."""
    spec = "x = input [6, 4]\n" + LOOPS[0][0].split("\n", 1)[1]
    check(spec, decayed, *sequences(6))
    model = netc.compile(LOOPS[0][0], dims={"T": 6})
    assert str(model.outputs["output"]) == "[N, 6, 4]"


def test_no_batch() -> None:
    def loop(module: Module, x: Tensor) -> tuple[Tensor, ...]:
        h, found = torch.zeros(4), []
        for row in x:
            h = h + row
            found.append(h)
        return torch.stack(found), h

    spec = (
        "x = input [T, 4] batch=false\nstart = table (i) [4] float32 = 0\n"
        "(y, last) = x -> scan (h = start) axis=0 { h = h + in }\nout y, last"
    )
    check(spec, loop, *[(x[0],) for (x,) in sequences(1, 8)])


def test_length_by_where() -> None:
    """A length that could be 0 without a `where`."""
    spec = (
        "x = input [T, 4] where T >= 2\nstart = param [1, 4] init=0.5 as start -> expand [N, 4]\n"
        "(y, last) = x -> slice axis=1 start=1 -> scan (h = start) axis=1 { h = h + in }\nout y, last"
    )

    def loop(module: Module, x: Tensor) -> tuple[Tensor, ...]:
        y = x[:, 1:].cumsum(1) + 0.5
        return y, y[:, -1]

    check(spec, loop, *sequences(2, 5))
    with pytest.raises(netc.CompileError, match="no-steps"):
        netc.compile(spec.replace(" where T >= 2", ""))


def test_cost() -> None:
    """A step's operations count as often as it runs, its parameters once."""
    totals = netc.compile(GRU).summary().totals
    one = netc.compile("x = input 4; h = input 6; (x, h) -> gru_cell 6").summary().totals
    assert totals.parameters == one.parameters
    assert str(totals.multiply_adds) == f"{one.multiply_adds}*T"
