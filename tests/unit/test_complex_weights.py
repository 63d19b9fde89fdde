"""Complex tensors of checkpoints as pairs of real numbers, against PyTorch's complex arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import netc
from netc.compiler.errors.weight_errors import WeightsError

SPEC = """
x = input [3, 8]
f = x -> rfft
real = f -> select axis=3 index=0
imaginary = f -> select axis=3 index=1
w = param [3, 5, 2] as weights1
a = w -> select axis=2 index=0
b = w -> select axis=2 index=1
(real * a - imaginary * b, real * b + imaginary * a) -> stack axis=3 -> irfft 8
"""


class Spectral(torch.nn.Module):
    """A layer of a Fourier neural operator (Li et al., 2021) with one weight for each mode and channel."""

    def __init__(self, dtype: torch.dtype = torch.complex64) -> None:
        super().__init__()
        self.weights1 = torch.nn.Parameter(torch.randn(3, 5, dtype=dtype, generator=torch.Generator().manual_seed(0)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfft(torch.fft.rfft(x) * self.weights1.to(torch.complex64), n=8)


@pytest.mark.parametrize("form", ["pt", "safetensors", "npz", "mapping", "arrays", "complex128", "conjugate"])
def test_complex_weights_load_as_pairs(form: str, tmp_path: Path) -> None:
    module = Spectral(torch.complex128 if form == "complex128" else torch.complex64)
    state = {name: value.detach() for name, value in module.state_dict().items()}
    x = torch.randn(2, 3, 8, generator=torch.Generator().manual_seed(1))
    wanted = module(x).detach()
    weights: object = tmp_path / f"w.{form if form in ('pt', 'safetensors', 'npz') else 'pt'}"
    match form:
        case "safetensors":
            save_file(state, weights)  # type: ignore[arg-type]
        case "npz":
            np.savez(weights, **{name: value.numpy() for name, value in state.items()})  # type: ignore[call-overload]
        case "mapping":
            weights = state
        case "arrays":
            weights = {name: value.numpy().T.copy().T for name, value in state.items()}
        case "conjugate":
            weights = {name: value.conj().resolve_conj().conj() for name, value in state.items()}
        case _:
            torch.save(state, str(weights))
    model = netc.compile(SPEC)
    torch.testing.assert_close(model.module(weights=weights)(x).detach(), wanted, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(model.session(weights=weights)(x.numpy())), wanted, rtol=1e-5, atol=1e-5)


def test_a_parameter_of_another_shape_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"weights1"):
        netc.compile(SPEC.replace("[3, 5, 2]", "[3, 6, 2]").replace("irfft 8", "irfft 10").replace("[3, 8]", "[3, 10]")).module(
            weights=Spectral().state_dict()
        )
