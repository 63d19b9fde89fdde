"""Imports Fourier transforms: `DFT onesided=1` of a real signal becomes `rfft`.

Complex numbers are a last axis of size 2, in ONNX and in netc. ONNX has real numbers as a last axis of size 1, which netc does not have.
"""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite
from ..importer_table import imports


@imports("DFT", to="rfft, fft, ifft or irfft")
def import_dft(site: OnnxSite) -> Value:
    x = site.input()
    axis = site.normalize_axis(_transformed_axis(site), x.type.rank)
    if axis == x.type.rank - 1:
        raise ImportRefused("transforms the axis of the real and imaginary parts")
    sizes = site.require_dims(1, "the length of the signal") if site.has_input(1) else ()
    length = {"n": sizes[0]} if sizes else {}
    inverse, onesided = bool(site.get_attr("inverse", 0)), bool(site.get_attr("onesided", 0))
    real = _is_real(x)
    if onesided and not inverse:
        if not real:
            raise ImportRefused("has `onesided` for complex numbers")
        return site.apply_op("rfft", site.apply_op("squeeze", x, axis=-1), axis=axis, **length)
    # A real signal gets imaginary parts of 0.
    pairs = site.apply_op("pad", x, padding=(0, 1)) if real else x
    if not onesided:
        return site.apply_op("ifft" if inverse else "fft", pairs, axis=axis, **length)
    return site.apply_op("unsqueeze", site.apply_op("irfft", pairs, axis=axis, **length), axis=-1)


def _transformed_axis(site: OnnxSite) -> int:
    """Return the axis: an input since operator set 20, and before that an attribute with the default 1."""
    if site.version < 20:
        return int(site.get_attr("axis", 1))
    return int(site.require_array(2, "the axis").reshape(-1)[0]) if site.has_input(2) else -2


def _is_real(x: Value) -> bool:
    parts = x.type.shape[-1] if x.type.rank else None
    if parts not in (1, 2):
        raise ImportRefused(f"needs a last axis of 1 for real numbers or 2 for complex ones, and gets {x.type}")
    return parts == 1


@imports("STFT", to="stft and permute")
def import_stft(site: OnnxSite) -> Value:
    """Import STFT. ONNX has the windows before the frequencies, and neither pads nor scales."""
    x = site.input()
    signal = x if x.type.rank == 2 else _real_signal(site, x)  # ONNX Runtime also takes real numbers without a last axis
    window = (site.input(2),) if site.has_input(2) else ()
    if site.has_input(3):
        (size,) = site.require_dims(3, "the size of a window")
    else:
        size = window[0].type.shape[0] if window else x.type.shape[1]
    (hop,) = site.require_dims(1, "the distance of the windows")
    if not isinstance(size, int) or not isinstance(hop, int):
        raise ImportRefused("has windows whose size or distance depends on the sizes of the inputs")
    onesided = {} if site.get_attr("onesided", 1) else {"onesided": False}
    spectrum = site.apply_op("stft", signal, *window, n_fft=size, hop_length=hop, center=False, **onesided)
    return site.apply_op("permute", spectrum, axes=(0, 2, 1, 3))


def _real_signal(site: OnnxSite, x: Value) -> Value:
    if x.type.rank != 3 or not _is_real(x):
        raise ImportRefused(f"is of {x.type}; netc's stft is of real numbers, [N, T, 1] or [N, T]")
    return site.apply_op("squeeze", x, axis=-1)
