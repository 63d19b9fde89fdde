"""Fourier transforms: ONNX has complex numbers as a last axis of two, as netc, and real ones as a last axis of one."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..importer_site import Site
from ..importer_table import imports


@imports("DFT", to="rfft, fft, ifft or irfft")
def dft(site: Site) -> Value:
    x = site.x()
    axis = site.axis(_transformed_axis(site), x.type.rank)
    if axis == x.type.rank - 1:
        raise ImportRefused("transforms the axis of the real and imaginary parts")
    sizes = site.dims(1, "the length of the signal") if site.has(1) else ()
    length = {"n": sizes[0]} if sizes else {}
    inverse, onesided = bool(site.attr("inverse", 0)), bool(site.attr("onesided", 0))
    real = _is_real(x)
    if onesided and not inverse:
        if not real:
            raise ImportRefused("has `onesided` for complex numbers")
        return site.one("rfft", site.one("squeeze", x, axis=-1), axis=axis, **length)
    pairs = site.one("pad", x, padding=(0, 1)) if real else x
    if not onesided:
        return site.one("ifft" if inverse else "fft", pairs, axis=axis, **length)
    return site.one("unsqueeze", site.one("irfft", pairs, axis=axis, **length), axis=-1)


def _transformed_axis(site: Site) -> int:
    """An input since operator set 20; an attribute before, which counts from 1 if it is left out."""
    if site.version < 20:
        return int(site.attr("axis", 1))
    return int(site.array(2, "the axis").reshape(-1)[0]) if site.has(2) else -2


def _is_real(x: Value) -> bool:
    parts = x.type.shape[-1] if x.type.rank else None
    if parts not in (1, 2):
        raise ImportRefused(f"needs a last axis of 1 for real numbers or 2 for complex ones, and gets {x.type}")
    return parts == 1


@imports("STFT", to="stft and permute")
def stft(site: Site) -> Value:
    """ONNX has the windows before the frequencies, and neither padding nor scales."""
    x = site.x()
    signal = x if x.type.rank == 2 else _real_signal(site, x)  # ONNX Runtime also takes real numbers without a last axis
    window = (site.x(2),) if site.has(2) else ()
    if site.has(3):
        (size,) = site.dims(3, "the size of a window")
    else:
        size = window[0].type.shape[0] if window else x.type.shape[1]
    (hop,) = site.dims(1, "the distance of the windows")
    if not isinstance(size, int) or not isinstance(hop, int):
        raise ImportRefused("has windows whose size or distance depends on the sizes of the inputs")
    onesided = {} if site.attr("onesided", 1) else {"onesided": False}
    made = site.one("stft", signal, *window, n_fft=size, hop_length=hop, center=False, **onesided)
    return site.one("permute", made, axes=(0, 2, 1, 3))


def _real_signal(site: Site, x: Value) -> Value:
    if x.type.rank != 3 or not _is_real(x):
        raise ImportRefused(f"is of {x.type}; netc's stft is of real numbers, [N, T, 1] or [N, T]")
    return site.one("squeeze", x, axis=-1)
