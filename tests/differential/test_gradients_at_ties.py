"""The gradients of a PyTorch module at equal numbers, at zeros and between pixels equal the gradients of PyTorch's own operators.

A definition that netc writes may have the right values, and another gradient where the formula has a corner: `1 - abs(x - floor(x))` has
none at an integer. The cases of all operators go through it. `make test` runs some of the examples, and `make long` all cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import pytest
import torch
from case_ids import case_id

import netc
from netc.compiler.ops import Operator
from tests.case_families import FAMILIES
from tests.differential.references.run import attached_outputs
from tests.differential.test_written_gradients import can_differentiate
from tests.differential.values import torch_alone
from tests.parity import SEED, arguments, flattened, inputs_for, sizes_of, slow_path, tensor

EXAMPLES = [text for _, cls in sorted(Operator.registry.items()) for text in cls.examples]
CASES = [text for module in FAMILIES.values() for text in module.CASES]
AT_CORNERS = (
    "x = input 3x6x7; at = input 18x4x5; (x, at) -> deform_conv 4 3x3",
    "x = input [T, 6]; v = param [4, 6] as v; t = input [T] int64; (x, v, t * 0 - 100) -> linear_cross_entropy",
    "x = input [6]; v = param [4, 6] as v; t = input [] int64; (x, v, t * 0 - 100) -> linear_cross_entropy label_smoothing=0.1",
)
"""Models whose gradients were others: with offsets of 0 or of pixels, and without any label."""
SOME = (*AT_CORNERS, *(text for text in EXAMPLES if crc32(text.encode()) % 3 == 1))
WITHOUT_GRADIENT = ("roi_align",)
"""Operators of torchvision without a gradient by their positions, which netc's definitions have."""
TOLERANCE = 1e-4
NUMBERS = ((-1.0, 0.0, 1.0), (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5), (0.0,), (-3.0, 3.0, 6.0, -6.0, 20.0))


def differentiate(results: Sequence[torch.Tensor], inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The gradients of a smooth function of the results."""
    floats = [result for result in results if result.is_floating_point() and result.requires_grad]
    total = sum((result.double().asinh().sum() for result in floats), torch.zeros(()))
    if not floats:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(total, inputs, allow_unused=True)
    return [torch.zeros_like(x) if gradient is None else gradient for x, gradient in zip(inputs, found, strict=True)]


def check(text: str) -> None:
    """Compare the gradients by all inputs of floats, at inputs of a few numbers."""
    model = netc.compile(text)
    if not can_differentiate(model) or torch_alone(model) or any(name in text for name in WITHOUT_GRADIENT):
        return
    module = model.module(seed=SEED).eval()
    sizes = sizes_of(model)[1]
    drawn = inputs_for(model, sizes)
    generator = torch.Generator().manual_seed(SEED)
    for numbers in NUMBERS:
        fed = [tensor(drawn[name], type_) for name, type_ in model.inputs.items()]
        for x in fed:
            if x.is_floating_point():
                x.copy_(torch.tensor(numbers)[torch.randint(len(numbers), x.shape, generator=generator)]).requires_grad_()
        inputs = [x for x in fed if x.requires_grad]
        with slow_path():
            try:
                wanted = differentiate(attached_outputs(model.program, module.state_dict(), fed, sizes), inputs)
            except (RuntimeError, ValueError):
                continue  # PyTorch refuses these numbers, or has no derivative
            found = differentiate(flattened(module(*arguments(model, fed))), inputs)
        for left, right in zip(wanted, found, strict=True):
            largest = left[left.isfinite()].abs().max().item() if left.isfinite().any() else 0.0
            allowed = TOLERANCE * (0.1 + largest)
            torch.testing.assert_close(right, left, rtol=TOLERANCE, atol=allowed, equal_nan=True, msg=f"{numbers}: {{}}".format)


@pytest.mark.parametrize("text", [pytest.param(text, id=case_id(text)) for text in SOME])
def test_examples(text: str) -> None:
    check(text)


@pytest.mark.long
@pytest.mark.thorough(3)
@pytest.mark.parametrize("text", [pytest.param(text, id=case_id(text)) for text in dict.fromkeys((*EXAMPLES, *CASES))])
def test_all_cases(text: str) -> None:
    check(text)
