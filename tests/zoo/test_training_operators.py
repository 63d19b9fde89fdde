"""A training step of the emitted source dispatches no more operators than a step of its reference.

The networks are those whose steps bench/ measures: times vary by some hundredths with the load of a machine, these numbers do not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from bench.training_step import NETWORKS, Trainee, ours_of

SPECS = Path(__file__).parents[2] / "specs"


class Dispatched(TorchDispatchMode):
    """Counts operators, also in the backward pass and in the optimizer."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[str(func)] += 1
        return func(*args, **(kwargs or {}))


def dispatched(module: nn.Module, batch: Tensor, logits: Callable[[object], Tensor]) -> Counter[str]:
    """The operators of the second step: some are dispatched in the first one only."""
    trainee = Trainee(module, batch, logits)
    trainee.step()
    with Dispatched() as found:
        trainee.step()
    return found.counts


@pytest.mark.zoo
@pytest.mark.parametrize("name", NETWORKS)
def test_no_more_operators_than_the_reference(name: str) -> None:
    network = NETWORKS[name]
    torch.manual_seed(0)
    batch = network.batch()
    ours = dispatched(ours_of(network, str(SPECS)), batch, lambda result: result)  # type: ignore[arg-type,return-value]
    theirs = dispatched(network.reference(), batch, network.logits)
    assert sum(theirs.values()) > 300, theirs
    assert sum(ours.values()) <= sum(theirs.values()), (ours - theirs, theirs - ours)
