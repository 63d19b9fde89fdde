"""Loops over time in a module's Python code are a `scan`. The judge is the proof of the import, which compares keys, shapes and numbers
with the module: a text that is written is the module. Loops that a `scan` cannot be stay as torch.export writes them out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

import netc
from netc.importing import run_import

pytestmark = pytest.mark.filterwarnings("ignore")
STEPS, WIDTH = 4, 6
Forward = Callable[[Any, Tensor], Any]


class Of(nn.Module):
    """A module of a function of one tensor, and of modules by name."""

    def __init__(self, function: Forward, **modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, x: Tensor) -> Any:
        return self.function(self, x)


def spec(module: nn.Module, *inputs: Tensor) -> str:
    return netc.from_torch(module.eval(), inputs).spec()


def text(forward: Forward, x: Tensor, **modules: nn.Module) -> str:
    """The body of the spec of a function of modules, and of a tensor."""
    return spec(Of(forward, **modules), x).partition("\n\n")[2]


def sequence() -> Tensor:
    return torch.randn(2, STEPS, WIDTH)


def lines(found: str) -> list[str]:
    return [line.strip() for line in found.strip().splitlines()]


def test_a_cell_whose_states_are_stacked() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        h = torch.zeros(x.shape[0], 8)
        hidden = []
        for t in range(x.shape[1]):
            h = m.cell(x[:, t], h)
            hidden.append(h)
        return m.head(torch.stack(hidden, dim=1))

    assert text(forward, sequence(), cell=nn.GRUCell(WIDTH, 8), head=nn.Linear(8, 3)) == (
        "x = input 4x6\n"
        "zeros = table (i, j) [N, 8] float32 = 0.0\n"
        "x -> scan (h = zeros) axis=1 {\n"
        "  h = (in, h) -> gru_cell 8 as cell\n"
        "} -> dense 3 as head\n"
    )


def test_two_layers_of_cells_of_which_the_last_state_is_read() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        h1 = c1 = torch.zeros(x.shape[0], 8)
        h2 = c2 = torch.zeros(x.shape[0], 8)
        for x_t in x.split(1, dim=1):
            h1, c1 = m.lower(x_t.squeeze(1), (h1, c1))
            h2, c2 = m.upper(h1, (h2, c2))
        return m.head(h2)

    found = text(forward, sequence(), lower=nn.LSTMCell(WIDTH, 8), upper=nn.LSTMCell(8, 8), head=nn.Linear(8, 3))
    assert found.count("lstm_cell") == 2
    assert "x -> scan" in found
    assert "select" not in found
    assert "squeeze" not in found


def test_both_directions_and_a_layer_on_top() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        h = torch.zeros(x.shape[0], 8)
        forwards, backwards, top = [], [], []
        for t in range(x.shape[1]):
            h = m.fwd(x[:, t], h)
            forwards.append(h)
        h = torch.zeros(x.shape[0], 8)
        for t in reversed(range(x.shape[1])):
            h = m.bwd(x[:, t], h)
            backwards.insert(0, h)
        h = torch.zeros(x.shape[0], 8)
        for one, other in zip(forwards, backwards, strict=True):
            h = m.top(torch.cat((one, other), 1), h)
            top.append(h.unsqueeze(0))
        return torch.cat(top)

    found = text(forward, sequence(), fwd=nn.RNNCell(WIDTH, 8), bwd=nn.RNNCell(WIDTH, 8), top=nn.RNNCell(16, 8))
    assert found.count("scan (") == 3
    assert found.count("reverse=true") == 1
    assert found.count("zeros = table") == 1
    assert lines(found)[-1] == "} -> transpose 0 1"


def test_steps_in_the_opposite_order_of_what_is_read() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        h = torch.zeros(x.shape[0], 8)
        found = []
        for t in reversed(range(x.shape[1])):
            h = m.cell(x[:, t], h)
            found.append(m.head(h))
        return torch.cat(found, 1), torch.cat(found[::-1], 1), found[1]

    found = text(forward, sequence(), cell=nn.GRUCell(WIDTH, 8), head=nn.Linear(8, 1))
    assert "flip [1] -> squeeze [2]" in found
    assert "select 1 2" in found  # the second step is at the last position but one


def test_a_module_that_is_used_elsewhere_too_stays_shared() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        h = m.cell(x.mean(1))
        found = []
        for t in range(x.shape[1]):
            h = m.cell(m.mix(x[:, t]), h)
            found.append(m.mix(h))
        return torch.stack(found, 1)

    found = text(forward, sequence(), cell=nn.GRUCell(WIDTH, WIDTH), mix=nn.Linear(WIDTH, WIDTH))
    assert found.count("gru_cell") == found.count("dense") == 1
    assert "shared mix = dense 6" in found
    assert "scan (" in found


@pytest.mark.long
def test_a_step_by_hand_with_parameters_and_arithmetic() -> None:
    """A selective state space, as it is written to be read."""

    def forward(m: Any, u: Tensor) -> Any:
        a = -torch.exp(m.a_log)
        delta, b, c = m.project(u).split([1, 4, 4], -1)
        delta_a = torch.exp(torch.einsum("bld,dn->bldn", delta, a))
        delta_b = torch.einsum("bld,bln,bld->bldn", delta, b, u)
        x = torch.zeros(u.shape[0], WIDTH, 4)
        found = []
        for i in range(u.shape[1]):
            x = delta_a[:, i] * x + delta_b[:, i]
            found.append(torch.einsum("bdn,bn->bd", x, c[:, i]))
        return torch.stack(found, dim=1) + u

    module = Of(forward, project=nn.Linear(WIDTH, 9))
    module.a_log = nn.Parameter(torch.rand(1, 4))
    found = spec(module, sequence())
    assert "x2 = delta_a_t * x2 + delta_b_t" in found
    assert found.count("einsum") == 3


def test_the_positions_before_and_after() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        before = state = torch.zeros_like(x[:, 0])
        found = [state]
        for t in range(x.shape[1] - 1):
            state = torch.sigmoid(m.weigh(state)) * (x[:, t] - before) + x[:, t + 1]
            before = x[:, t]
            found.append(state)
        return torch.stack(found, 1)

    found = text(forward, torch.randn(2, 5, WIDTH), weigh=nn.Linear(WIDTH, WIDTH))
    assert "(x -> slice 1 stop=4, x -> slice 1 1 5) -> scan" in found
    assert lines(found)[-1].endswith("-> concat 1")


@pytest.mark.long
def test_results_that_are_written_into_a_tensor() -> None:
    """As the attention of RWKV: what the last step computes for the next one is read by nothing."""

    def forward(m: Any, x: Tensor) -> Any:
        key, value = m.key(x), m.value(x)
        output = torch.zeros_like(key)
        total = torch.zeros_like(key[:, 0])
        norm = torch.zeros_like(key[:, 0])
        for t in range(x.shape[1]):
            weight = torch.exp(key[:, t])
            output[:, t] = (total + weight * value[:, t]) / (norm + weight + 1)
            total = total * m.decay + weight * value[:, t]
            norm = norm * m.decay + weight
        return output

    module = Of(forward, key=nn.Linear(WIDTH, WIDTH), value=nn.Linear(WIDTH, WIDTH))
    module.decay = nn.Parameter(torch.rand(WIDTH))
    found = spec(module, sequence())
    assert "scan (total = zeros, norm = zeros) axis=1" in found
    assert found.count("exp") == 1


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.RNNCell(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        h, found = None, []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
            found.append(h)
        return torch.stack(found, 1)


def test_layers_whose_steps_are_loops_are_one_block() -> None:
    found = spec(nn.Sequential(Recurrent(), Recurrent(), Recurrent()), sequence())
    assert found.count("scan (") == 1
    assert "repeat i in 0..3 as {i} { recurrent }" in found


def test_a_convolution_over_frames() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        h = torch.zeros(x.shape[0], 2, *x.shape[3:])
        for frame in x.unbind(1):
            h = torch.tanh(m.conv(torch.cat((frame, h), 1)))
        return h

    assert "scan (h = zeros) axis=1" in text(forward, torch.randn(2, STEPS, 3, 5, 4), conv=nn.Conv2d(5, 2, 3, padding=1))


def test_a_first_step_that_differs_is_before_the_loop() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        h, found = None, []
        for t in range(x.shape[1]):
            y = m.up(x[:, t])
            h = torch.tanh(y if h is None else y + m.back(h))
            found.append(h)
        return torch.stack(found, 1)

    found = text(forward, torch.randn(2, 5, WIDTH), up=nn.Linear(WIDTH, 8), back=nn.Linear(8, 8))
    assert "(x -> slice 1 1 5) -> scan" in found


@pytest.mark.parametrize("skipped", [0, 1])
def test_a_state_from_two_steps_before_is_no_scan(skipped: int) -> None:
    def forward(m: Any, x: Tensor) -> Any:
        before, state = torch.zeros_like(x[:, 0]), torch.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            before, state = state, torch.tanh(m.mix(x[:, t]) + (before if skipped else state))
        return state

    assert ("scan (" in text(forward, sequence(), mix=nn.Linear(WIDTH, WIDTH))) is not bool(skipped)


def test_layers_with_weights_of_their_own_are_no_scan() -> None:
    layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(STEPS))

    def forward(m: Any, x: Tensor) -> Any:
        h = torch.zeros_like(x[:, 0])
        for t, layer in enumerate(m.layers):
            h = torch.tanh(layer(x[:, t]) + h)
        return h

    assert "scan (" not in text(forward, sequence(), layers=layers)


def test_numbers_that_differ_from_step_to_step_are_no_scan() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        h = torch.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            h = m.mix(F.relu(h) * (t + 1) + x[:, t])
        return h

    assert "scan (" not in text(forward, sequence(), mix=nn.Linear(WIDTH, WIDTH))


def test_queries_keys_and_values_are_no_scan() -> None:
    def forward(m: Any, x: Tensor) -> Any:
        q, k, v = (F.normalize(one, dim=-1).sin() for one in m.qkv(x).unflatten(-1, (3, WIDTH)).unbind(2))
        return (q @ k.transpose(1, 2)).softmax(-1) @ v

    assert "scan (" not in text(forward, sequence(), qkv=nn.Linear(WIDTH, 3 * WIDTH))


def test_a_scan_that_is_not_proved_is_written_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first text gets a wrong start, and the proof refuses it."""
    write = run_import.write_program
    written: list[str] = []

    def wrong(*given: object) -> str:
        made = write(*given)  # type: ignore[arg-type]
        written.append(made)
        return made.replace("float32 = 0.0", "float32 = 1.0") if "scan (" in made else made

    monkeypatch.setattr(run_import, "write_program", wrong)

    def forward(m: Any, x: Tensor) -> Any:
        h = torch.zeros(x.shape[0], 8)
        for t in range(x.shape[1]):
            h = m.cell(x[:, t], h)
        return h

    found = text(forward, sequence(), cell=nn.GRUCell(WIDTH, 8))
    assert "scan (" in written[0]
    assert "scan (" not in found
    assert "shared cell" in found


def test_a_first_step_of_constants_in_an_onnx_file(tmp_path: Path) -> None:
    """PyTorch's exporter writes a cell out, and the first step computes with constants. The last one computes nothing for a next one."""

    def forward(m: Any, x: Tensor) -> Any:
        h = torch.zeros(2, 8)
        found = []
        for t in range(x.shape[1]):
            h = m.cell(x[:, t], h)
            found.append(h)
        return torch.stack(found, 1)

    path = tmp_path / "cell.onnx"
    torch.onnx.export(Of(forward, cell=nn.GRUCell(WIDTH, 8)).eval(), (torch.randn(2, 5, WIDTH),), str(path), dynamo=False)
    text = netc.from_onnx(path).spec()
    assert "slice 1 1 5) -> scan (" in text
    assert text.count("-> tanh") == 2


def test_a_step_before_the_loop_that_reads_another_axis() -> None:
    """It is no step of the loop, although the types are the same."""

    def forward(m: Any, x: Tensor) -> Any:
        h = x.mean(1)
        h = m.cell(x[:, :, 0], h)
        for t in range(x.shape[1]):
            h = m.cell(x[:, t], h)
        return h

    found = text(forward, torch.randn(2, 4, 4), cell=nn.GRUCell(4, 4))
    assert "axis=1 {\n  h = (in, h) -> cell\n}" in found
    assert found.count("select") == 1
