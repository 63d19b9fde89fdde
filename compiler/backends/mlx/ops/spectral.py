"""Refuses Fourier transforms of float64 in MLX, which computes them in complex64."""

from __future__ import annotations

from ....ops.operator import Operator
from ....ops.short_time import Istft, Stft
from ....ops.spectral import Fft, Ifft, Irfft, Rfft
from ....types.tensor_types import FLOAT64
from ...python.code.python_expressions import Code
from ...python.emitters import Emitter
from ..mlx_emitters import EMITTERS, MlxSite
from .elementwise import refuse_use


def refuse_float64(emitter: Emitter) -> Emitter:
    def emit(op: Operator, site: MlxSite) -> Code:
        if site.given.x.dtype == FLOAT64:
            raise refuse_use(site, "MLX transforms float32 only", "convert the tensor with `-> cast float32` before")
        return emitter(op, site)

    return emit


for _operator in (Fft, Ifft, Irfft, Rfft, Istft, Stft):
    EMITTERS.functions[_operator] = refuse_float64(EMITTERS.functions[_operator])
