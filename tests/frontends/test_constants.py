"""Tables for constants: the formula has the values of the array, whatever it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from netc.compiler.frontends.constants import make_formula_table
from netc.compiler.frontends.constants.search import Search, has_values
from netc.compiler.frontends.graph_builder import ImportRefused
from netc.compiler.frontends.torch.constant_folding import ConstantFolder
from netc.compiler.ops.formula import Const, iterate_parts
from netc.compiler.ops.formula_values import evaluate_formula

REGIONS = np.add.outer(3 * np.repeat([0, 1, 2], [8, 3, 3]), np.repeat([0, 1, 2], [8, 3, 3]))
FOUND = {
    "one number": np.full((2, 3), 0.5, "float32"),
    "a number without axes": np.array(7),
    "true": np.ones((4,), bool),
    "a range": np.arange(9),
    "a range of floats from a start": np.arange(5, dtype="float32") * 0.5 - 1,
    "counted along two axes": np.arange(12).reshape(3, 4),
    "backwards": np.arange(5)[::-1].copy(),
    "regions of an image": REGIONS,
    "one step": np.repeat([1.0, 3.5], [2, 5]).astype("float32"),
    "what is seen": np.tril(np.ones((5, 5), bool)),
    "what is not seen": np.triu(np.full((5, 5), -1e4, "float32"), 1),
    "what is seen, with axes of size 1": np.tril(np.ones((1, 1, 6, 6), bool)),
    "what is seen of the past": np.tril(np.ones((4, 6), bool), 2),
    "frequencies": (1.0 / 10000.0 ** (np.arange(0, 64, 2) / 64)).astype("float32"),
    "frequencies, the same for all heads": np.tile((1.0 / 10000.0 ** (np.arange(0, 64, 2) / 64)).astype("float32"), (3, 4, 1)),
    "what is seen, the same for all heads": np.tile(np.tril(np.ones((5, 6), bool), 1)[:, None], (2, 1, 3, 1)),
    "regions, the same in other places": np.tile(REGIONS[:, None, :, None], (1, 3, 1, 2)),
    "frequencies of another base": (1.0 / 500000.0 ** (np.arange(0, 16, 2) / 16)).astype("float32"),
    "distances to what was before": np.maximum(np.subtract.outer(np.arange(20), np.arange(20)), 0),
    "distances up to a bound": np.clip(np.subtract.outer(np.arange(20), np.arange(20)), -4, 4) + 4,
    "steps between two bounds": np.clip(np.arange(40) * 3 - 20, 0, 50),
    "one element": np.array([[3]]),
    "sines": np.sin(np.outer(np.arange(7), 10000.0 ** -(np.arange(4) / 4))).astype("float32"),
    "cosines": np.cos(np.outer(np.arange(7), 10000.0 ** -(np.arange(4) / 4))).astype("float32"),
    "cosines from position 1": np.cos(np.outer(np.arange(1, 7), 10000.0 ** -(np.arange(4) / 4))).astype("float32"),
    "one in each row": np.eye(5, dtype=bool)[np.add.outer([0, 1], [0, 2])],
    "size 1 in front": np.arange(6)[None],
    "a number that is none": np.array([1.0, np.nan, 3.0]),
}


@pytest.mark.parametrize("array", FOUND.values(), ids=FOUND.keys())
def test_a_formula_has_the_values_of_the_array(array: Any) -> None:
    table = make_formula_table(array)
    values = table.compute_values()
    assert values.dtype == array.dtype
    assert values.shape == array.shape
    np.testing.assert_allclose(values.astype("float64"), array.astype("float64"), rtol=1e-6, atol=0)


REFUSED = {
    "noise": np.random.default_rng(0).standard_normal((30, 30)),
    "one number off": np.where(np.arange(400) == 7, 8.5, np.arange(400)),
    "nothing": np.zeros((0, 3)),
    "noise of booleans": np.random.default_rng(1).random((30, 30)) > 0.5,
}


@pytest.mark.parametrize("array", REFUSED.values(), ids=REFUSED.keys())
def test_without_a_formula_it_is_refused(array: Any) -> None:
    with pytest.raises(ImportRefused):
        make_formula_table(array)


def test_angles_of_rounded_frequencies_are_products_with_a_list() -> None:
    # As DINOv3 has them: rotary embedding of the coordinates of an image, with frequencies that were rounded to bfloat16.
    periods = (100.0 ** (torch.arange(16) / 16)).to(torch.bfloat16).float()
    centers = (torch.arange(12) + 0.5) / 12 * 2 - 1
    grid = torch.stack(torch.meshgrid(centers, centers, indexing="ij"), -1).reshape(-1, 2, 1)
    angles = (2 * torch.pi * grid / periods).flatten(1).numpy()
    table = make_formula_table(angles)
    np.testing.assert_allclose(table.compute_values(), angles, rtol=1e-6, atol=1e-6)
    numbers = [part for part in iterate_parts(table.formula) if isinstance(part, Const)]
    assert len(numbers) < 3 * len(periods)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", [1e-30, 1e-9, 1.0, 1e9])
def test_rounding_is_relative_to_the_numbers(dtype: str, size: float) -> None:
    """A formula of other tiny numbers, or of 0, is another table. NaN is equal to itself."""
    array = np.array([size] * 3, dtype)
    if not np.isfinite(array).all() or not array.all():
        pytest.skip("the type has no such number")
    value, eps = float(array[0]), float(np.finfo(dtype).eps)
    for factor, same in ((1.0, True), (1 + 4 * eps, True), (1 + 100 * eps, False), (0.0, False), (-1.0, False)):
        assert has_values(Const(value * factor), array, tolerance=8) == same, factor
    assert not has_values(Const(value), np.array([value, np.nan, value], dtype), tolerance=8)


@pytest.mark.parametrize("times", [1, 2])
def test_frequencies_are_multiples_of_pi(times: int) -> None:
    array = (times * math.pi * 10000.0 ** -(np.arange(32) / 32)).astype("float32")
    table = make_formula_table(array)
    np.testing.assert_allclose(table.compute_values(), array, rtol=1e-6)
    numbers = [part for part in iterate_parts(table.formula) if isinstance(part, Const)]
    assert Const(math.pi, "pi") in numbers
    assert all(isinstance(number.value, int) for number in numbers if number.value != math.pi)


def test_the_centers_of_cells_begin_at_half_a_step() -> None:
    """Half a step of 5000 is no simple fraction: the formula is `(i + 0.5) / n` as one would write it."""
    count = 5000
    array = (np.arange(count, dtype="float32") + np.float32(0.5)) / np.float32(count)
    table = make_formula_table(array)
    np.testing.assert_array_equal(table.compute_values(), array)
    numbers = {part.value for part in iterate_parts(table.formula) if isinstance(part, Const)}
    assert numbers == {0.5, count}


@pytest.mark.parametrize("size", [1e-9, 1e-12, 1e-30])
def test_tables_of_tiny_numbers_are_no_zeros(size: float) -> None:
    array = (np.arange(10) * size).astype("float32")
    formula = Search(array, lists=True, close=True).search_array()
    assert formula is not None
    np.testing.assert_allclose(evaluate_formula(formula, (10,)), array, rtol=1e-6, atol=0)


def test_only_constants_that_the_graph_reads_are_tables() -> None:
    """A formula for the others would be searched for in vain, and its last bits would be reported."""

    class Added(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            steps = torch.arange(8.0) / 7
            return x * steps + (steps * steps + 1).sqrt()

    graph = torch.export.export(Added(), (torch.randn(8),)).graph
    folder = ConstantFolder(graph.nodes, {}, {})
    (result,) = next(node for node in graph.nodes if node.op == "output").args[0]
    product, root = result.args
    assert set(folder.tables) == {product.args[1], root}
    assert {node.name for node in folder.tables} < {node.name for node in folder.values}
    torch.testing.assert_close(folder.values[root], ((torch.arange(8.0) / 7) ** 2 + 1).sqrt())
