"""Importing what modules do in training: the judge is the module itself, with the same seed where it draws, and its state then."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends import written
from frontends.imported import same, tensors
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing.module_origin import make_module_origin
from netc.importing.output_judge import NotProved
from netc.importing.proof import prove_import


class Of(written.Of):
    """The same with one input, which has a name."""

    def forward(self, x: Tensor) -> Any:  # type: ignore[override]
        return super().forward(x)


def agree(module: nn.Module, x: Tensor) -> str:
    """Imports and compares in both modes, with the draws of one seed and the state after the step; the text."""
    model = netc.from_torch(module, x, train=True)
    made = model.module()
    for training in (False, True):
        results = []
        for one in (made, module):
            one.train(training)
            torch.manual_seed(3)
            with torch.no_grad():
                results.append(tensors(one(x)))
        same(*results, 1e-5)
    state = made.state_dict()
    for key, tensor in module.state_dict().items():
        torch.testing.assert_close(state[key], tensor, rtol=1e-5, atol=1e-5)
    return model.spec()


def body(text: str) -> str:
    """Without comments and empty lines."""
    return "\n".join(line for line in text.splitlines() if line and not line.startswith("#"))


def test_statistics_after_a_step() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=0.3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    assert "batch_norm momentum=0.3" in agree(module, torch.randn(4, 3, 6, 6))


def test_statistics_of_a_layer_that_is_called_twice() -> None:
    inner = Of(lambda m, x: m.norm(x), norm=nn.BatchNorm1d(3))
    text = agree(Of(lambda m, x: m.inner(x) + m.inner(x * 2), inner=inner), torch.randn(4, 3, 5))
    assert text.count("batch_norm") == 1


@pytest.mark.parametrize("call", [lambda m, x: (m.norm(x), m.norm(x * 2))[1], lambda m, x: (F.relu_(m.norm(x)), x)[1]])
def test_statistics_without_a_reader_of_the_result(call: Any) -> None:
    with pytest.raises(ImportFailed, match=r"`norm\.running_mean`, in training, is all that is read of a call"):
        netc.from_torch(Of(call, norm=nn.BatchNorm1d(3)), torch.randn(4, 3, 5), train=True)


class Normalized(nn.Module):
    """`batch_norm` as a function. `statistic` makes what its statistics are; `mode` is whether it is in training, None: as the module."""

    def __init__(self, statistic: Any, *, read: bool, mode: bool | None = None) -> None:
        super().__init__()
        self.linear, self.running_mean, self.running_var = nn.Linear(3, 3), statistic(torch.zeros(3)), statistic(torch.ones(3))
        self.read, self.mode = read, mode

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        y = F.batch_norm(x, self.running_mean, self.running_var, training=self.training if self.mode is None else self.mode)
        return y if self.read else x


def parameter(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)


def test_statistics_that_are_constants_are_no_state() -> None:
    agree(Normalized(lambda tensor: tensor, read=False), torch.randn(4, 3))


@pytest.mark.parametrize("statistic", [lambda tensor: tensor, parameter], ids=["constant", "parameter"])
def test_statistics_that_are_no_buffers_stay_in_training(statistic: Any) -> None:
    agree(Normalized(statistic, read=True, mode=False), torch.randn(4, 3) * 3 + 2)


def test_statistics_that_are_parameters_without_a_reader_of_the_result() -> None:
    with pytest.raises(ImportFailed, match=r"`running_mean`, in training, is all that is read of a call"):
        netc.from_torch(Normalized(parameter, read=False), torch.randn(4, 3), train=True)


def test_dropout_that_is_called_in_training_only() -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        x = m.a(x)
        if m.training:
            x = F.dropout(x, 0.25)
        return m.b(x)

    text = agree(Of(forward, a=nn.Linear(3, 4), b=nn.Linear(4, 2)), torch.randn(5, 3))
    assert body(text) == "x = input 3\nx -> dense 4 as a -> dropout 0.25 -> dense 2 as b"


def test_dropout_that_is_called_in_evaluation_only() -> None:
    """There it does nothing, so the text has none, also between stages that both modes compute."""

    def forward(m: Of, x: Tensor) -> Tensor:
        x = m.a(x)
        if not m.training:
            x = F.dropout(x, 0.25, training=m.training)
        x = m.b(x)
        return x if m.training else F.dropout(torch.relu(x), 0.5, training=False)

    text = agree(Of(forward, a=nn.Linear(3, 4), b=nn.Linear(4, 2)), torch.randn(5, 3))
    assert "dropout" not in text


@pytest.mark.parametrize("affine", [False, True])
def test_instance_norms_with_statistics(affine: bool) -> None:
    module = nn.Sequential(nn.Conv1d(3, 4, 1), nn.InstanceNorm1d(4, affine=affine, track_running_stats=True, momentum=0.3, eps=0.01))
    if affine:
        nn.init.normal_(module[1].weight)
        nn.init.normal_(module[1].bias)
    text = agree(module, torch.randn(4, 3, 5))
    assert f"instance_norm eps=0.01{' affine=true' * affine} track_running_stats=true momentum=0.3" in text


def test_dropout_of_attention() -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        q = m.q(x)
        return F.scaled_dot_product_attention(q, q, q, dropout_p=0.3 if m.training else 0.0)

    assert "attention dropout=0.3" in agree(Of(forward, q=nn.Linear(4, 4)), torch.randn(2, 2, 5, 4))


def test_further_outputs_in_training() -> None:
    def forward(m: Of, x: Tensor) -> Any:
        h = torch.relu(m.body(x))
        return (m.head(h), m.aux(h)) if m.training else m.head(h)

    text = agree(Of(forward, body=nn.Linear(3, 4), head=nn.Linear(4, 2), aux=nn.Linear(4, 5)), torch.randn(2, 3))
    assert "if training { out output, aux } else { output }" in text


def test_further_results_of_a_module_in_training() -> None:
    def unit(m: Of, x: Tensor) -> Any:
        h = torch.relu(m.a(x))
        return (h + x, m.gate(h)) if m.training else h + x

    def forward(m: Of, x: Tensor) -> Any:
        found = []
        for one in (m.first, m.second):
            x, *further = one(x) if m.training else (one(x),)
            found += further
        return m.head(x), *found

    units = {name: Of(unit, a=nn.Linear(4, 4), gate=nn.Linear(4, 4)) for name in ("first", "second")}
    text = agree(Of(forward, **units, head=nn.Linear(4, 2)), torch.randn(2, 4))
    assert text.count("block ") == 1


def test_another_path_in_training() -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        h = m.a(x)
        h = torch.tanh(h) * 2 if m.training else torch.sigmoid(h)
        return m.b(h)

    assert "if training" in agree(Of(forward, a=nn.Linear(3, 4), b=nn.Linear(4, 2)), torch.randn(2, 3))


def test_what_goes_into_a_module_may_differ() -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        return m.unit(x * 2 if m.training else x)

    inner = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    assert agree(Of(forward, unit=inner), torch.randn(2, 3)).count("dense 4") == 1


def test_statistics_that_stay_in_training() -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

        def train(self, mode: bool = True) -> Frozen:
            super().train(mode)
            self.norm.eval()
            return self

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.conv(x))  # type: ignore[no-any-return]

    module = Frozen()
    model = netc.from_torch(module, torch.randn(2, 3, 5, 5), train=True)
    made, x = model.module().train(), torch.randn(4, 3, 5, 5) * 3 + 2
    same([made(x)], [module.train()(x)], 1e-5)


def test_a_module_that_is_called_in_training_only_keeps_its_keys() -> None:
    module = Of(lambda m, x: (m.head(x), m.aux(x)) if m.training else m.head(x), head=nn.Linear(3, 2), aux=nn.Linear(3, 2))
    assert list(netc.from_torch(module, torch.randn(2, 3), train=True).parameters) == list(module.state_dict())


def test_the_mode_is_as_it_was() -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5))
    module[2].eval()
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    netc.from_torch(module, torch.randn(2, 3), train=True)
    assert [one.training for one in module] == [True, True, False]
    assert all(torch.equal(tensor, before[key]) for key, tensor in module.state_dict().items())


def test_what_cannot_be_imported_in_training_says_so() -> None:
    def forward(m: Of, x: Tensor) -> Tensor:
        return m.a(x) + torch.randn_like(x) if m.training else m.a(x)

    with pytest.raises(ImportFailed, match="in training, draws random numbers"):
        netc.from_torch(Of(forward, a=nn.Linear(3, 3)), torch.randn(2, 3), train=True)


@pytest.mark.parametrize("wrong", ["dropout 0.2 -> batch_norm as 2", "dropout 0.4 -> batch_norm momentum=0.2 as 2"])
def test_the_proof_finds_what_differs_in_training_alone(wrong: str) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.4), nn.BatchNorm1d(4))
    origin = make_module_origin(module, (torch.randn(2, 3),), {}, None, "module", train=True)
    prove_import(netc.compile("x = input 3\nx -> dense 4 as 0 -> dropout 0.4 -> batch_norm as 2"), origin)
    with pytest.raises(NotProved, match="in training"):
        prove_import(netc.compile(f"x = input 3\nx -> dense 4 as 0 -> {wrong}"), origin)
