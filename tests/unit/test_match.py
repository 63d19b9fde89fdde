"""`match`: the judge of assignments is the search through all permutations, and of losses of sets a loop over the samples."""

from __future__ import annotations

import math
import sys
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from scipy.optimize import linear_sum_assignment
from torch import Tensor

import netc
from netc.errors import CompileError

MATCH = netc.compile("input [R, C] where R >= 0, C >= 0 -> match").module()


def best_cost(cost: Tensor) -> tuple[int, float]:
    """The greatest number of pairs, and their least total cost."""
    rows, columns = cost.shape
    choices = permutations([*range(columns), *[None] * rows], rows)
    pairs = ([(i, j) for i, j in enumerate(choice) if j is not None and math.isfinite(cost[i, j])] for choice in choices)
    number, total = min((-len(some), sum(float(cost[i, j]) for i, j in some)) for some in pairs)
    return -number, total


@pytest.mark.parametrize("forbidden", [0.0, 0.3, 0.7])
@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (2, 4), (4, 2), (1, 3), (3, 1)])
def test_least_cost_of_all_permutations(shape: tuple[int, int], forbidden: float) -> None:
    generator = torch.Generator().manual_seed(0)
    cost = torch.randn(8, *shape, generator=generator) * 10 + 1000
    cost[torch.rand(cost.shape, generator=generator) < forbidden] = torch.inf
    for table, columns in zip(cost, MATCH(cost), strict=True):
        kept = columns >= 0
        assert len(set(columns[kept].tolist())) == int(kept.sum())
        paid = table[kept, columns[kept]]
        number, total = best_cost(table)
        assert (len(paid), float(paid.double().sum())) == (number, pytest.approx(total, rel=1e-6))


@pytest.mark.parametrize("offset", [0.0, 1e9, -1e9])
def test_costs_that_are_alike_or_large(offset: float) -> None:
    """A forbidden pair is avoided however large the others are, and if all are the same."""
    cost = torch.full((1, 3, 3), offset)
    cost[0, torch.eye(3) == 0] = torch.inf
    assert MATCH(cost).tolist() == [[0, 1, 2]]


def test_sizes_of_zero() -> None:
    for shape in ((0, 2, 3), (2, 0, 3), (2, 3, 0)):
        columns = MATCH(torch.zeros(shape))
        assert (columns.shape, columns.dtype) == (shape[:2], torch.int64)
        assert (columns == -1).all()


@pytest.mark.parametrize("number", [math.nan, -math.inf])
def test_costs_that_are_no_numbers_are_refused(number: float) -> None:
    cost = torch.zeros(2, 3, 3)
    cost[1, 2, 0] = number
    with pytest.raises(ValueError, match="costs of an assignment must be numbers or inf"):
        MATCH(cost)


def test_onnx_says_why_not() -> None:
    with pytest.raises(CompileError, match="no operator that assigns rows to columns"):
        netc.compile("input [3, 4] -> match").onnx()


def test_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source is written all the same."""
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    model = netc.compile("input [3, 7] -> match")
    assert "from scipy.optimize import linear_sum_assignment" in model.source()
    with pytest.raises(CompileError, match=r"package-not-installed(.|\n)*pip install scipy"):
        model.module()


DETR = """
features = input [6, 5]                              # six queries
scores = features -> dense 4                         # three classes, and no object
boxes = features -> dense 2 sigmoid
out scores, boxes
train {
  labels = input [4] int64                           # padded to four targets
  places = input [4, 2]
  real = input [4] bool
  shares = (scores -> softmax axis=2, labels -> unsqueeze 1 -> expand [N, 6, 4]) -> gather 2
  cost = 5 * ((boxes, places) -> cdist 1) - shares
  target = (cost, real -> logical_not -> unsqueeze 1) -> masked_fill inf -> match
  found = target >= 0
  index = target -> clamp min=0
  classes = (found, (labels, index) -> gather 1) -> where 3
  chosen = (places, index -> unsqueeze 2 -> expand [N, 6, 2]) -> gather 1
  errors = boxes - chosen -> abs -> sum axis=2
  count = real -> cast float32 -> sum
  loss = ((scores -> transpose 1 2, classes) -> cross_entropy) + 5 * (errors * (found -> cast float32) -> sum) / count
}
"""


def detr(scores: Tensor, boxes: Tensor, labels: Tensor, places: Tensor, real: Tensor) -> Tensor:
    """As in the paper: the targets of a sample are a list without padding, and the pairs are a list of two indices."""
    classes = torch.full(scores.shape[:2], 3)
    total: Tensor = torch.zeros(())
    for sample in range(len(scores)):
        own, place = labels[sample][real[sample]], places[sample][real[sample]]
        cost = 5 * torch.cdist(boxes[sample], place, p=1) - scores[sample].softmax(1)[:, own]
        queries, targets = linear_sum_assignment(cost.detach())
        classes[sample][queries] = own[targets]
        total = total + F.l1_loss(boxes[sample][queries], place[targets], reduction="sum")
    return F.cross_entropy(scores.transpose(1, 2), classes) + 5 * total / real.sum()


def test_loss_of_detr() -> None:
    """Padded targets do not count, and a sample may have none."""
    generator = torch.Generator().manual_seed(0)
    real = torch.arange(4) < torch.tensor([[2], [4], [0], [1], [3]])
    data = {
        "features": torch.randn(5, 6, 5, generator=generator),
        "labels": torch.randint(3, (5, 4), generator=generator),
        "places": torch.rand(5, 4, 2, generator=generator),
        "real": real,
    }
    objective = netc.compile(DETR).training(seed=1)
    loss, _ = objective(data)
    scores, boxes = objective.model(data["features"])
    wanted = detr(scores, boxes, data["labels"], data["places"], real)
    parameters = list(objective.model.parameters())
    torch.testing.assert_close(loss, wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(torch.autograd.grad(loss, parameters), torch.autograd.grad(wanted, parameters), rtol=1e-5, atol=1e-6)


PIT = """
mixture = input [8]
estimates = mixture -> dense 24 -> reshape [N, 3, 8]
train {
  sources = input [3, 8]
  pairs = (estimates -> unsqueeze 2) - (sources -> unsqueeze 1) -> square -> mean axis=3
  loss = (pairs, pairs -> match -> unsqueeze 2) -> gather 2 -> mean
  batch 6 accumulate=2
}
"""


def test_loss_of_permutation_invariant_training() -> None:
    generator = torch.Generator().manual_seed(0)
    data = {"mixture": torch.randn(6, 8, generator=generator), "sources": torch.randn(6, 3, 8, generator=generator)}
    objective = netc.compile(PIT).training(seed=1)
    loss, _ = objective(data)
    estimates = objective.model(data["mixture"])
    losses = [F.mse_loss(estimates[:, list(order)], data["sources"], reduction="none").mean((1, 2)) for order in permutations(range(3))]
    wanted = torch.stack(losses).amin(0).mean()
    parameters = list(objective.model.parameters())
    torch.testing.assert_close(loss, wanted, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(torch.autograd.grad(loss, parameters), torch.autograd.grad(wanted, parameters), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("text", [DETR, PIT])
def test_the_loss_trains(text: str, tmp_path: Path) -> None:
    """In parts too: an assignment belongs to one sample."""
    path = tmp_path / "sets.net"
    path.write_text(text.replace("  loss", "  optimizer adam lr=0.01; steps 20\n  loss"))
    generator = np.random.default_rng(0)
    drawn = lambda *shape: generator.random((12, *shape), np.float32)  # noqa: E731
    data = {"features": drawn(6, 5), "labels": generator.integers(0, 3, (12, 4)), "places": drawn(4, 2), "real": drawn(4) < 0.7}
    data = data if text is DETR else {"mixture": drawn(8), "sources": drawn(3, 8)}
    result = netc.train(path, data=data, output=tmp_path / "run")
    assert result is not None
