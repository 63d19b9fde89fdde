"""Modules of other element types than float32, sizes by factors, and what has no counterpart in a spec: each is imported and proved, or
refused with what can be done."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.written import Of
from torch import Tensor, nn

from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing.module_origin import make_module_origin
from netc.importing.run_import import ImportedSpec, import_spec

pytestmark = pytest.mark.filterwarnings("ignore")


def imported(module: nn.Module, *inputs: Tensor, train: bool = False, dims: dict[int, list[str | None]] | None = None) -> ImportedSpec:
    return import_spec(make_module_origin(module, inputs, {}, dims, "module", train=train))


def network(dtype: torch.dtype) -> nn.Module:
    return nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.Softmax(-1), nn.Conv1d(4, 4, 3)).to(dtype)


@pytest.mark.parametrize(
    ("dtype", "compared"), [(torch.float16, {"PyTorch", "ONNX Runtime"}), (torch.bfloat16, {"PyTorch"}), (torch.float64, {"PyTorch"})]
)
def test_element_types(dtype: torch.dtype, compared: set[str]) -> None:
    """ONNX Runtime has no kernels on the CPU for products of bfloat16, nor for convolutions of float64."""
    made = imported(network(dtype), torch.randn(2, 4, 16).to(dtype))
    assert made.proof is not None
    assert set(made.proof.differences) == compared
    assert made.proof.differences["PyTorch"] == 0
    assert ("not compared in ONNX Runtime: it has no" in made.format_report()) == (len(compared) == 1)


@pytest.mark.parametrize("seed", [0, 12, 13, 25])
def test_a_float16_model_that_is_nearer_to_float64_than_its_type(seed: int) -> None:
    """With few numbers, the module's own error may be below half a digit of float16, and ONNX Runtime's need not be."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Conv1d(4, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.SiLU()).half()
    proof = import_spec(make_module_origin(module, (torch.randn(2, 4, 8).half(),), {}, None, "module"), seed=seed).proof
    assert proof is not None
    assert proof.differences["ONNX Runtime"] < 2**-10


class Larger(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(F.interpolate(x, scale_factor=2), scale_factor=1.5)


def test_sizes_by_a_factor_that_is_no_integer() -> None:
    made = imported(Larger(), torch.randn(2, 3, 9, 10), dims={0: ["N", None, "H", "W"]})
    assert "upsample scale=2" in made.text
    assert "upsample scale=1.5" in made.text


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 4, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        made, _ = self.rnn(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))
        return nn.utils.rnn.pad_packed_sequence(made, batch_first=True)[0]


def test_packed_sequences_are_refused_with_what_can_be_done() -> None:
    with pytest.raises(ImportFailed, match=r"packed sequences.*\(in `rnn`\); give padded sequences"):
        imported(Packed(), torch.randn(2, 5, 4), torch.tensor([5, 3]))


class Averages(nn.Module):
    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
        return x - self.mean


def test_buffers_that_training_changes_by_code_of_the_module() -> None:
    module = nn.Sequential(nn.BatchNorm1d(4), Averages())
    assert imported(module, torch.randn(2, 4)).proof is not None
    with pytest.raises(ImportFailed, match=r"`1.mean`, in training, is changed by aten.mul_.Tensor.*\(in `1`\)"):
        imported(module, torch.randn(2, 4), train=True)


@pytest.mark.parametrize(
    ("function", "x", "text"),
    [
        (lambda m, x: (torch.fft.fft(x), x), torch.ones(2, 4), "output has complex numbers, which are no element type of netc"),
        (lambda m, x: x.abs(), torch.ones(2, 4, dtype=torch.complex64), "the input `.*` is complex64, which is no element type of netc"),
        (lambda m, x: x.float(), torch.ones(2, 4, dtype=torch.uint16), "the input `.*` is uint16, which is no element type of netc"),
    ],
    ids=["complex output", "complex input", "uint16"],
)
def test_inputs_and_outputs_of_other_types_are_refused(function: Any, x: Any, text: str) -> None:
    with pytest.raises(ImportFailed, match=text):
        imported(Of(function), x)
