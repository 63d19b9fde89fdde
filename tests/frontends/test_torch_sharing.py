"""Importing PyTorch modules that are called several times, and weights that are shared or read elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.imported import agree, operators
from frontends.written import Of, batches
from torch import Tensor, nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.ir.graph import CallNode
from netc.importing.output_judge import NotProved


def test_tied_weights_are_tied() -> None:
    module = Of(lambda m, ids: m.head(m.words(ids)), words=nn.Embedding(11, 4), head=nn.Linear(4, 11, bias=False))
    module.head.weight = module.words.weight
    found = agree(module, *[torch.randint(0, 11, (n, 5)) for n in (2, 3, 1)])
    assert set(found.weights) == {"words.weight", "head.weight"}
    ties = [node.tie for node in found.program.main.nodes if not isinstance(node, CallNode) and node.tie is not None]
    assert [(tie.path, tie.target_name) for tie in ties] == [("words", "weight")]


def test_a_module_that_is_called_twice_is_shared() -> None:
    block = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    found = agree(Of(lambda m, x: m.block(m.block(x)), block=block), *batches(4))
    assert set(found.weights) == {"block.0.weight", "block.0.bias"}
    assert [module.label for module in found.program.main.declares] == ["block"]


def test_a_module_that_is_called_in_two_others_is_shared_around_them() -> None:
    norm = nn.LayerNorm(4)

    class Side(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own = nn.Linear(4, 4)

        def forward(self, x: Tensor, norm: nn.Module) -> Tensor:
            return self.own(norm(x))

    found = agree(Of(lambda m, x: m.b(m.a(x, m.norm), m.norm), a=Side(), b=Side(), norm=norm), *batches(4))
    assert set(found.weights) == {"a.own.weight", "a.own.bias", "b.own.weight", "b.own.bias", "norm.weight", "norm.bias"}


def test_the_only_layer_of_a_module_that_has_a_second_name_in_the_model() -> None:
    block = Of(lambda m, x: torch.sin(m.layer(x)), layer=nn.Linear(4, 4))
    module = Of(lambda m, x: m.alias(m.block(x)), block=block, alias=block.layer)
    found = agree(module, *batches(4))
    assert set(found.weights) == {"alias.weight", "alias.bias"}


def test_calls_that_differ_of_a_module_whose_layer_has_a_second_name() -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Tensor, times: int) -> Tensor:
            for _ in range(times):
                x = torch.sin(self.layer(x))
            return x

    block = Steps()
    module = Of(lambda m, x: m.a(x, 1) + m.b(x, 3), a=block, b=block, layer=block.layer)
    netc.from_torch(module, torch.randn(2, 4))  # which compares


def test_a_shared_module_with_modules_inside() -> None:
    inner = Of(lambda m, x: x + m.two(F.relu(m.one(x))), one=nn.Linear(4, 8), two=nn.Linear(8, 4))
    agree(Of(lambda m, x, y: m.norm(m.inner(x)) + m.norm(m.inner(y)), inner=inner, norm=nn.LayerNorm(4)), *[(x, x * 2) for x in batches(4)])


def test_a_shared_module_within_a_shared_module() -> None:
    inner = Of(lambda m, x: m.norm(x), norm=nn.LayerNorm(4, bias=False))
    outer = Of(lambda m, x: m.inner(x) + m.inner(x * 2), inner=inner)
    found = agree(Of(lambda m, x: m.outer(x) + m.outer(x * 2), outer=outer), *batches(5, 4))
    assert set(found.weights) == {"outer.inner.norm.weight"}
    assert "parameter" not in operators(found.program)
    text = netc.from_torch(Of(lambda m, x: m.outer(x) + m.outer(x * 2), outer=outer), torch.randn(2, 5, 4)).spec()
    assert text.count("layer_norm") == 1


@pytest.mark.parametrize("layer", [nn.Linear(4, 4), nn.BatchNorm1d(4)])
def test_a_weight_that_is_read_after_calls_of_its_layer(layer: nn.Module) -> None:
    module = Of(lambda m, x: m.inner(m.layer(m.layer(x)), m.layer.weight), layer=layer, inner=Of(lambda m, x, w: x * w.sum()))
    found = agree(module, *batches(4))
    assert set(found.weights) == {f"layer.{key}" for key in layer.state_dict()}
    assert "parameter" in operators(found.program)


def test_a_weight_that_is_read_after_calls_of_a_module_around_its_layer() -> None:
    inner = Of(lambda m, x: F.relu(m.layer(x)), layer=nn.Linear(4, 4))
    outer = Of(lambda m, x: m.inner(m.inner(x)) @ m.inner.layer.weight, inner=inner)
    agree(Of(lambda m, x: m.outer(m.outer(x)), outer=outer), *batches(4))
    head = nn.Linear(4, 4)
    head.weight = inner.layer.weight
    agree(Of(lambda m, x: m.head(m.inner(m.inner(x))), inner=inner, head=head), *batches(4))


def test_a_weight_that_is_read_before_its_layer() -> None:
    module = Of(lambda m, x: m.layer(x * m.layer.weight), layer=nn.BatchNorm1d(4))
    found = agree(module, *batches(4))
    assert any("training the spec does not change its statistics" in note for note in found.notes)
    with pytest.raises((ImportFailed, NotProved)):
        netc.from_torch(module, torch.randn(4, 4), train=True)


@pytest.mark.parametrize(
    "calls",
    [
        lambda m, x: m.pair(x)[0] + m.pair(x * 2)[1],
        lambda m, x: sum(m.pair(x)) + m.pair(x * 2)[0] + m.pair(x * 3)[1],
        lambda m, x: m.pair(x)[1] + m.outer(x * 2) + m.outer(x * 3),
    ],
)
def test_results_of_a_shared_module_that_some_of_its_calls_need(calls: Any) -> None:
    pair = Of(lambda m, x: (m.inner(x), x + 1), inner=Of(lambda m, x: m.layer(x).relu(), layer=nn.Linear(4, 4)))
    module = Of(calls, pair=pair, outer=Of(lambda m, x: m.pair(x)[0] + m.pair(x + 1)[1], pair=pair)).eval()
    text = netc.from_torch(module, torch.randn(2, 4)).spec()
    assert text.count("dense") == 1


def test_a_weight_that_another_module_reads() -> None:
    module = Of(lambda m, x: F.linear(m.dense(x), m.dense.weight.t()), dense=nn.Linear(4, 6))
    found = agree(module, *batches(4))
    assert set(found.weights) == {"dense.weight", "dense.bias"}
    assert "parameter" in operators(found.program)


class Applied(nn.Module):
    """A module without parameters, which applies a module that it is given, and then `after`."""

    def __init__(self, after: Any = None, inner: nn.Module | None = None) -> None:
        super().__init__()
        self.after, self.inner = after, inner

    def forward(self, x: Tensor, layer: nn.Module) -> Tensor:
        x = layer(x) if self.inner is None else self.inner(x, layer)
        return x if self.after is None else self.after(x)


@pytest.mark.share(4)
@pytest.mark.parametrize("layer", [nn.Linear(4, 4), nn.LayerNorm(4), nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))])
@pytest.mark.parametrize(
    "parts",
    [
        (Applied(F.relu),),
        (Applied(),),
        (Applied(F.relu), Applied(torch.tanh)),
        (Applied(), Applied(F.relu)),
        (Applied(inner=Applied(F.relu)), Applied(torch.tanh, Applied())),
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_a_module_that_others_apply_is_known_by_its_own_keys(layer: nn.Module, parts: tuple[nn.Module, ...], last: bool) -> None:
    def run(m: Any, x: Tensor) -> Tensor:
        for part in m.parts:
            x = part(x, m.layer)
        return m.layer(x) if last else x  # type: ignore[no-any-return]

    module = Of(run, layer=layer, parts=nn.ModuleList(parts))
    found = agree(module, *batches(4))
    assert set(found.weights) == set(module.state_dict())
