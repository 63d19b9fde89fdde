"""Every operator in MLX: outputs against PyTorch, and the table of operators that have no form in MLX."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.ops import Operator
from tests.array_cases import CASES
from tests.case_ids import case_id

pytest.importorskip("mlx.core", reason="mlx is not installed")

from tests.mlx.mlx_models import agree

REFUSED = ("digamma", "erfc", "lgamma", "match", "roi_align")
"""Operators without a form in MLX: MLX has no function for the first three. `match` solves an assignment by SciPy, and the samples of
`roi_align` are counted by the values of boxes."""
REFUSED_USES = {
    "x = input 3x9x9; x -> fractional_max_pool 2 5": "it draws its own samples",
    "a = input [2, 3] int64; b = input [3, 2] int64; a @ b": "MLX multiplies matrices of floats only",
    "x = input [T] float64; x -> rfft": "MLX transforms float32 only",
    "input [T, 3] -> std axis=1 correction=2.5": "the correction is no integer",
    "x = input [8, 3]; gradient((x -> gru 4 -> sum axis=[1, 2]), x)": "`gru` is a loop",
}
EXAMPLES = [(name, index, text) for name, cls in sorted(Operator.registry.items()) for index, text in enumerate(cls.examples)]


@pytest.mark.share(8)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text, id=f"example of {name}: {case_id(text)}", marks=pytest.mark.long if index else ())
        for name, index, text in EXAMPLES
        if name not in REFUSED
    ],
)
def test_an_example_agrees_with_pytorch(text: str) -> None:
    agree(text)


@pytest.mark.share(4)
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in CASES.items()])
def test_a_case_agrees_with_pytorch(text: str) -> None:
    agree(text)


@pytest.mark.parametrize("name", REFUSED)
def test_what_mlx_lacks_is_an_error(name: str) -> None:
    with pytest.raises(netc.CompileError, match=f"`{name}` has no MLX form") as caught:
        netc.compile(Operator.registry[name].examples[0]).source("mlx")
    assert [d.code for d in caught.value.diagnostics] == ["missing-form"]


@pytest.mark.parametrize("text", REFUSED_USES)
def test_a_use_that_mlx_lacks_is_an_error(text: str) -> None:
    with pytest.raises(netc.CompileError, match=REFUSED_USES[text]) as caught:
        netc.compile(text).source("mlx")
    assert [d.code for d in caught.value.diagnostics] == ["source-unsupported"]


def test_nearly_all_operators_have_a_form() -> None:
    assert len(REFUSED) <= 0.15 * len(Operator.registry)
