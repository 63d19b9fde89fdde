"""Fourier transforms: complex numbers as pairs, signals and their windows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.differential.inputs import Draw, Types, tensor
from tests.differential.special.drawing import Arguments, Inputs, ints, size


def _pairs(draw: Draw) -> Types:
    """Complex numbers."""
    return (tensor(draw(st.sampled_from(("float32", "float64"))), [*(size(draw, 2) for _ in range(size(draw, 1, 3))), 2]),)


def _along_pairs(draw: Draw, types: Types) -> dict[str, Any]:
    return {"axis": draw(st.sampled_from((None, *range(-types[0].rank, -1))))}


def _signal(draw: Draw) -> Types:
    dtype, batch = draw(st.sampled_from(("float32", "float64"))), [size(draw, high=3)] if draw(st.booleans()) else []
    windows = [tensor(dtype, [size(draw, 4, 6)])] if draw(st.booleans()) else []
    return (tensor(dtype, [*batch, size(draw, 8, 16)]), *windows)


def _windows(draw: Draw, types: Types) -> dict[str, Any]:
    weights = ints(types[1:])[0] if len(types) > 1 else None
    n = (weights or 4) + draw(st.integers(0, 2))
    return {"n_fft": n, "win_length": weights if weights != n else None, "hop_length": draw(st.sampled_from((1, 2, 3, None)))}


def _spectrogram(draw: Draw) -> Types:
    """Of windows of 6."""
    dtype, batch = draw(st.sampled_from(("float32", "float64"))), [size(draw, high=3)] if draw(st.booleans()) else []
    windows = [tensor(dtype, (6,))] if draw(st.booleans()) else []
    return (tensor(dtype, [*batch, 4, size(draw, 3, 6), 2]), *windows)


def _back(draw: Draw, types: Types) -> dict[str, Any]:
    return {
        "n_fft": 6,
        "hop_length": draw(st.sampled_from((None, 1, 2, 3))),
        "win_length": None,
        "onesided": None,
        "length": draw(st.sampled_from((None, None, 4, 5))),
    }


INPUTS: dict[str, Inputs] = {
    **dict.fromkeys(("fft", "ifft", "irfft"), _pairs),
    "istft": _spectrogram,
    "stft": _signal,
}
ARGUMENTS: dict[str, Arguments] = {
    **dict.fromkeys(("fft", "ifft", "irfft"), _along_pairs),
    "istft": _back,
    "stft": _windows,
}
