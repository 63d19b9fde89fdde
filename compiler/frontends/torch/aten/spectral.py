"""Fourier transforms. Complex numbers have no element type of their own here: they are a last axis of real and imaginary parts."""

from __future__ import annotations

from ....ir.values import Value
from ...builder import ImportRefused
from ..site import AtenSite
from ..table import reads


@reads("fft_rfft")
def rfft(site: AtenSite) -> Value:
    return _transform(site, "rfft", site.tensor())


@reads("fft_irfft")
def irfft(site: AtenSite) -> Value:
    return _transform(site, "irfft", site.complex())


@reads("fft_fft", "fft_ifft")
def fft(site: AtenSite) -> Value:
    if not site.args["self"].meta["val"].is_complex():
        raise ImportRefused("transforms real numbers to as many complex ones", "use `torch.fft.rfft`")
    return _transform(site, site.name.removeprefix("fft_"), site.complex())


def _transform(site: AtenSite, operator: str, x: Value) -> Value:
    """Along an axis, which is counted from the front: here there may be another one after it."""
    axis = site.integer("dim") % len(site.args["self"].meta["val"].shape)
    return site.one(operator, x, axis=axis, n=site.size("n") if site.has("n") else None, norm=site.args["norm"] or "backward")


@reads("view_as_real", "view_as_complex")
def pairs(site: AtenSite) -> Value:
    return site.complex()


@reads("complex")
def complex_of(site: AtenSite) -> Value:
    return site.one("stack", site.tensor("real"), site.tensor("imag"), axis=-1)


@reads("real", "imag")
def part(site: AtenSite) -> Value:
    return site.one("select", site.complex(), axis=-1, index=int(site.name == "imag"))
