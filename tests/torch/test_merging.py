"""What is computed once and what twice: equal steps are one, unless they draw at random or run a module."""

from __future__ import annotations

import pytest
import torch

import netc

ATTENTION = "q = input [5, 8]; a = (q, q, q) -> attention dropout=0.5; b = (q, q, q) -> attention dropout=0.5; out a, b"
DROPOUT = "x = input [64]; a = x -> dropout 0.5; b = x -> dropout 0.5; out a, b"
PATHS = "x = input [64, 3]; a = x -> drop_path 0.5; b = x -> drop_path 0.5; out a, b"
X = torch.ones(16, 64)


@pytest.mark.parametrize(("text", "x"), [(ATTENTION, torch.ones(4, 5, 8)), (DROPOUT, X), (PATHS, X.unsqueeze(-1).expand(16, 64, 3))])
def test_each_draws_for_itself_in_training(text: str, x: torch.Tensor) -> None:
    module = netc.compile(text).module(seed=0)
    torch.manual_seed(0)
    a, b = module(x)
    assert not torch.equal(a, b)
    a, b = module.eval()(x)
    assert torch.equal(a, b)


def test_what_branches_take_is_computed_before_them() -> None:
    """One normalization, whose result three branches take, sees a batch once."""
    module = netc.compile("input 8 -> batch_norm as norm -> each i in 0..3 as heads { dense 2 }").module(seed=0)
    x = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
    results = module(x)
    assert int(module.norm.num_batches_tracked) == 1
    assert len(results) == 3
    torch.testing.assert_close(module.norm.running_mean, 0.1 * x.mean(0))


def test_branches_take_the_same_draw() -> None:
    """In training, what a dropout before the branches makes zero is zero in all of them."""
    module = netc.compile("input 64 -> dropout 0.5 as drop -> each i in 0..3 as heads { dense 1 bias=false }").module(seed=0)
    for head in module.heads:
        torch.nn.init.ones_(head.weight)
    torch.manual_seed(0)
    first, *others = module(torch.randn(4, 64))
    for other in others:
        assert torch.equal(first, other)


def test_what_is_the_same_is_computed_once() -> None:
    source = netc.compile("x = input [5, 8]; a = x -> softmax; b = x -> softmax; out a + b").source()
    assert source.count("softmax(") == 1


def test_equal_stages_with_parameters_are_two() -> None:
    module = netc.compile("x = input 8; a = x -> dense 4; b = x -> dense 4; out a, b").module(seed=0)
    a, b = module(torch.ones(1, 8))
    assert not torch.equal(a, b)


def test_a_normalization_counts_each_batch_of_its_own() -> None:
    """Two of the same input are two modules, each of which has seen one batch."""
    module = netc.compile("x = input 8; a = x -> batch_norm; b = x -> batch_norm; out a, b").module(seed=0)
    module(torch.randn(4, 8))
    counters = {name: int(value) for name, value in module.state_dict().items() if name.endswith("num_batches_tracked")}
    assert counters == {"batch_norm1.num_batches_tracked": 1, "batch_norm2.num_batches_tracked": 1}
