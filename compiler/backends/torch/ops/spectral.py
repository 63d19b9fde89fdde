"""Writes Fourier transforms in PyTorch, whose complex numbers are viewed as real ones with a last axis of two.

For example, `rfft` becomes `torch.view_as_real(torch.fft.rfft(x))`.
"""

from __future__ import annotations

from ....dims import Dim
from ....ops.short_time import Istft, Stft
from ....ops.spectral import Fft, Fourier, Ifft, Irfft, Rfft
from ...python.code.python_expressions import Code, Default, call_function, call_method
from ...python.operator_forms import list_short_time_options
from ..torch_emitters import TorchSite, function


def _emit_complex(x: Code) -> Code:
    # `view_as_complex` requires the pairs to be next to each other in memory.
    return call_function("torch.view_as_complex", call_method(x, "contiguous"))


def _emit_real(x: Code) -> Code:
    return call_function("torch.view_as_real", x)


def _list_options(op: Fourier, axis: int) -> dict[str, object]:
    n: Dim | None = op.n
    return {"n": Default(n, None), "dim": Default(axis, -1), "norm": Default(op.norm, "backward")}


@function(Rfft, target="torch.fft.rfft")
def emit_rfft(op: Rfft, site: TorchSite) -> Code:
    return _emit_real(call_function("torch.fft.rfft", site.x, **_list_options(op, op.axis)))


@function(Irfft, Fft, Ifft, target="torch.fft.{}")
def emit_complex_transform(op: Irfft | Fft | Ifft, site: TorchSite) -> Code:
    """Write a transform of complex numbers. PyTorch's tensor lacks the last axis of two, so negative axes move by one."""
    axis = op.axis + 1 if op.axis < 0 else op.axis
    spectrum = call_function(f"torch.fft.{op.name}", _emit_complex(site.x), **_list_options(op, axis))
    return spectrum if isinstance(op, Irfft) else _emit_real(spectrum)


@function(Stft, target="torch.stft")
def emit_stft(op: Stft, site: TorchSite) -> Code:
    options = list_short_time_options(op, site) | {"pad_mode": Default(op.pad_mode, "reflect")}
    return _emit_real(call_function("torch.stft", site.x, op.n_fft, **options, return_complex=True))


@function(Istft, target="torch.istft")
def emit_istft(op: Istft, site: TorchSite) -> Code:
    return call_function(
        "torch.istft", _emit_complex(site.x), op.n_fft, **list_short_time_options(op, site), length=Default(op.length, None)
    )
