"""Fourier transforms. Complex numbers have no element type of their own here: they are a last axis of real and imaginary parts."""

from __future__ import annotations

from ....ir.graph_values import Value
from ....types.tensor_types import FLOAT32
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


@reads("fft_rfft")
def rfft(site: AtenSite) -> Value:
    return _transform(site, "rfft", site.tensor())


@reads("fft_irfft")
def irfft(site: AtenSite) -> Value:
    return _transform(site, "irfft", site.complex())


@reads("fft_fft", "fft_ifft")
def fft(site: AtenSite) -> Value:
    return _transform(site, site.name.removeprefix("fft_"), _pairs(site))


def _transform(site: AtenSite, operator: str, x: Value) -> Value:
    """Along an axis, which is counted from the front: here there may be another one after it."""
    axis = site.integer("dim") % len(site.args["self"].meta["val"].shape)
    return site.one(operator, x, axis=axis, n=site.size("n") if site.has("n") else None, norm=site.args["norm"] or "backward")


@reads("fft_fft2", "fft_ifft2", "fft_rfft2", "fft_irfft2", "fft_fftn", "fft_ifftn", "fft_rfftn", "fft_irfftn")
def several(site: AtenSite) -> Value:
    """One axis after another; the transform of real numbers is that of the last axis, and the first or the last one of all."""
    name = site.name.removeprefix("fft_")[:-1]
    rank = len(site.args["self"].meta["val"].shape)
    sizes = site.sizes("s") if site.has("s") else None
    axes = site.axes() or tuple(range(-len(sizes), 0) if sizes else range(rank))
    steps = [(axis % rank, sizes[at] if sizes is not None else None) for at, axis in enumerate(axes)]
    if sizes is not None and -1 in sizes:
        raise ImportRefused("has a size of -1", "give all sizes, or none")
    norm = site.args["norm"] or "backward"
    real = name in ("rfft", "irfft")
    x = site.tensor() if name == "rfft" else _pairs(site)
    if name == "rfft":
        axis, size = steps.pop()
        x = site.one("rfft", x, axis=axis, n=size, norm=norm)
    last = steps.pop() if name == "irfft" else None
    for axis, size in reversed(steps):
        x = site.one(name.removeprefix("r") if name == "rfft" else "ifft" if real else name, x, axis=axis, n=size, norm=norm)
    return x if last is None else site.one("irfft", x, axis=last[0], n=last[1], norm=norm)


def _pairs(site: AtenSite) -> Value:
    """Complex numbers as pairs; real ones with imaginary parts of 0."""
    if site.args["self"].meta["val"].is_complex():
        return site.complex()
    x = site.tensor()
    x = x if x.type.dtype.is_float else site.cast(x, FLOAT32)
    return site.one("stack", x, site.one("mul", x, other=0), axis=-1)


@reads("view_as_real", "view_as_complex")
def pairs(site: AtenSite) -> Value:
    return site.complex()


@reads("complex")
def complex_of(site: AtenSite) -> Value:
    return site.one("stack", site.tensor("real"), site.tensor("imag"), axis=-1)


@reads("real", "imag")
def part(site: AtenSite) -> Value:
    return _part(site, int(site.name == "imag"))


@reads("abs")
def absolute(site: AtenSite) -> Value:
    if site.args["self"].meta["val"].is_complex():
        return site.one("hypot", _part(site, 0), _part(site, 1))
    return site.one("abs", site.tensor())


@reads("angle")
def angle(site: AtenSite) -> Value:
    if not site.args["self"].meta["val"].is_complex():
        raise ImportRefused("is given real numbers")
    return site.one("atan2", _part(site, 1), _part(site, 0))


def _part(site: AtenSite, index: int) -> Value:
    """The real parts, or the imaginary ones."""
    return site.one("select", site.complex(), axis=-1, index=index)
