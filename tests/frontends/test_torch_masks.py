"""Masks of imported attention: those that say `causal=true`, in every form in which models make them. The judge is the module itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from frontends.imported import agree, compare, label, operators
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

import netc
from netc.compiler.frontends.imported_model import Imported
from netc.compiler.frontends.tidying import tidy_program
from netc.compiler.frontends.torch import from_module
from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.walk import collect_graphs
from netc.dsl.record import replace
from netc.model import Model

DIMS = {0: ["N", "T", None]}
Mask = Callable[[int], Tensor]


class Attending(nn.Module):
    """Attention with a mask that is made of the length."""

    def __init__(self, mask: Mask, *, projected: bool) -> None:
        super().__init__()
        self.mask = mask
        self.attn = nn.MultiheadAttention(8, 2, batch_first=True) if projected else None

    def forward(self, x: Tensor) -> Tensor:
        mask = self.mask(x.shape[1])
        if self.attn is None:
            return scaled_dot_product_attention(x, x, x, attn_mask=mask)
        return self.attn(x, x, x, attn_mask=mask, need_weights=False)[0]


class Layers(nn.Module):
    """PyTorch's own transformer, as its tutorial has it."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x, mask=nn.Transformer.generate_square_subsequent_mask(x.shape[1]), is_causal=True)


def tidied(module: nn.Module, width: int = 8) -> tuple[Imported, list[OpNode]]:
    """What is imported and tidied, which computes what the module does at several lengths, and its attention."""
    inputs = [torch.randn(n, length, width) * 3 + 2 for n, length in ((2, 5), (3, 1), (1, 9))]
    found = from_module(module.eval(), inputs[0], DIMS)
    untidied = replace(found, program=deepcopy(found.program))  # exported once: that takes longer than all else
    label(untidied.program)
    compare(untidied, module, *inputs)
    tidy_program(found.program)
    nodes = [node for graph in collect_graphs(found.program.main) for node in graph.nodes if isinstance(node, OpNode)]
    for at, node in enumerate(nodes):
        node.label = node.label or f"stage{at}"
    made = Model(found.program).module(found.weights).eval()
    for x in inputs:
        with torch.no_grad():
            torch.testing.assert_close(made(x), module(x), rtol=1e-5, atol=1e-5)
    return found, [node for node in nodes if "attention" in node.op.name]


INFINITY = -math.inf
ADDED: dict[str, Mask] = {
    "PyTorch's own": nn.Transformer.generate_square_subsequent_mask,
    "what is above": lambda length: torch.full((length, length), INFINITY).triu(1),
    "what is filled": lambda length: torch.zeros(length, length).masked_fill(
        torch.ones(length, length, dtype=torch.bool).triu(1), INFINITY
    ),
}
NOT_CAUSAL: dict[str, Mask] = {
    "a small number": lambda length: torch.full((length, length), -3.0).triu(1),
    "one later position is seen": lambda length: torch.full((length, length), INFINITY).triu(2),
    "what is before": lambda length: torch.full((length, length), -1e4).tril(-1),
}


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("name", ADDED)
@pytest.mark.sample(2)
def test_minus_infinity_above_the_diagonal_is_causal(name: str, projected: bool) -> None:
    (attention,) = tidied(Attending(ADDED[name], projected=projected))[1]
    assert attention.op.args["causal"]
    assert len(attention.inputs) == (1 if projected else 3)


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("name", NOT_CAUSAL)
@pytest.mark.sample(2)
def test_another_mask_stays_one(name: str, projected: bool) -> None:
    (attention,) = tidied(Attending(NOT_CAUSAL[name], projected=projected))[1]
    assert not attention.op.args["causal"]
    assert len(attention.inputs) == (2 if projected else 4)


def test_a_bool_mask_of_the_module_hides_where_it_is_true() -> None:
    (later,) = tidied(Attending(lambda n: torch.ones(n, n, dtype=torch.bool).triu(1), projected=True))[1]
    (earlier,) = tidied(Attending(lambda n: torch.ones(n, n, dtype=torch.bool).triu(1).logical_not().tril(-1), projected=True))[1]
    assert (later.op.args["causal"], earlier.op.args["causal"]) == (True, False)


def test_a_bool_mask_of_attention_shows_where_it_is_true() -> None:
    (attention,) = tidied(Attending(lambda n: torch.ones(n, n, dtype=torch.bool).tril(), projected=False))[1]
    assert attention.op.args["causal"]


def test_zeros_hide_nothing() -> None:
    (attention,) = tidied(Attending(lambda n: torch.zeros(n, n), projected=True))[1]
    assert (attention.op.args["causal"], len(attention.inputs)) == (False, 1)


def test_the_standard_causal_transformer_has_no_mask() -> None:
    found, (first, second) = tidied(Layers())
    assert first.op.args["causal"]
    assert second.op.args["causal"]
    assert not {"table", "triu"} & set(operators(found.program))


class WrittenOut(nn.Module):
    """Attention as it is often written, with a mask in one of these forms. Its two heads have 9 features each."""

    def __init__(self, hide: Callable[[Tensor, Tensor], Tensor], *, scaled_first: bool = False) -> None:
        super().__init__()
        self.hide, self.scaled_first = hide, scaled_first
        self.register_buffer("seen", torch.tril(torch.ones(16, 16)).view(1, 1, 16, 16), persistent=False)
        self.drop = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        q = k = v = x.unflatten(2, (2, 9)).transpose(1, 2)
        scores = (q / 3) @ k.transpose(-2, -1) if self.scaled_first else q @ k.transpose(-2, -1) / math.sqrt(9)
        weights = self.hide(scores, self.seen[:, :, :length, :length]).softmax(-1)
        return (self.drop(weights) @ v).transpose(1, 2).flatten(2)


LEAST = torch.finfo(torch.float32).min
FORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "filled": lambda scores, seen: scores.masked_fill(seen == 0, -math.inf),
    "filled with a finite number": lambda scores, seen: scores.masked_fill(~seen.bool(), -1e9),
    "chosen": lambda scores, seen: torch.where(seen.bool(), scores, torch.tensor(LEAST)),
    "added": lambda scores, seen: scores + (1.0 - seen) * LEAST,
    "added of booleans": lambda scores, seen: scores + torch.where(seen > 0, 0.0, -math.inf),
    "added of a triangle": lambda scores, seen: scores + torch.triu(torch.full(seen.shape[2:], -1e9), 1),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("scaled_first", [False, True])
@pytest.mark.sample(1)
def test_written_out_causal_attention_is_the_operator(form: str, scaled_first: bool) -> None:
    _, nodes = tidied(WrittenOut(FORMS[form], scaled_first=scaled_first), 18)
    (node,) = (node for node in nodes if node.op.name == "attention")
    assert {name: node.op.args[name] for name in ("causal", "scale", "dropout")} == {"causal": True, "scale": None, "dropout": 0.2}
    assert len(node.inputs) == 3


@pytest.mark.parametrize(
    "hide",
    [
        lambda scores, seen: scores.masked_fill(seen == 0, -10.0),
        lambda scores, seen: scores.masked_fill(seen == 1, -1e9),
        lambda scores, seen: scores.masked_fill(seen.roll(1, 3) == 0, -1e9),
        lambda scores, seen: scores + (1.0 - seen) * -10.0,
        lambda scores, seen: scores + seen,
    ],
)
@pytest.mark.sample(1)
def test_other_masks_are_not_causal(hide: Callable[[Tensor, Tensor], Tensor]) -> None:
    _, nodes = tidied(WrittenOut(hide), 18)
    assert not any(node.op.args["causal"] for node in nodes if node.op.name == "attention")


@pytest.mark.long
def test_written_out_attention_without_a_mask_or_with_one_that_is_added() -> None:
    for hide in (lambda scores, seen: scores, lambda scores, seen: scores + seen.cumsum(3)):
        _, nodes = tidied(WrittenOut(hide), 18)
        assert [node.op.name for node in nodes if node.op.name in ("attention", "softmax")] == ["attention"]


def test_weights_that_are_read_elsewhere_stay() -> None:
    class Showing(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            weights = (x @ x.transpose(1, 2)).softmax(-1)
            return weights @ x, weights

    found = agree(Showing(), torch.randn(2, 5, 8), dims=DIMS)
    tidy_program(found.program)
    assert "softmax" in operators(found.program)


@pytest.mark.parametrize("value", [2.0, 0.0, torch.tensor(3.0)], ids=str)
def test_a_number_is_written_by_a_mask(value: float | Tensor) -> None:
    """`x[mask] = 2`, where the mask has fewer axes than `x`."""

    class Writing(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.clone()
            y[x[:, :, 0] > 0] = value
            return y

    x = torch.randn(2, 5, 4)
    model = netc.from_torch(Writing(), x, {0: ["N", "T", None]})
    other = torch.randn(3, 7, 4)
    assert torch.equal(model.module()(other), Writing()(other))
