"""Reads Fourier transforms.

netc has no complex element type: a complex tensor is a real one with a last axis of real and imaginary parts. So `torch.view_as_real` and
`torch.view_as_complex` do nothing.
"""

from __future__ import annotations

from ....ir.graph import OpNode
from ....ir.graph_values import Value
from ....types.tensor_types import FLOAT32
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


@reads("fft_rfft")
def read_rfft(site: AtenSite) -> Value:
    return _transform_axis(site, "rfft", site.tensor())


@reads("fft_irfft")
def read_irfft(site: AtenSite) -> Value:
    return _transform_axis(site, "irfft", site.complex_pairs())


@reads("fft_fft", "fft_ifft")
def read_fft(site: AtenSite) -> Value:
    return _transform_axis(site, site.name.removeprefix("fft_"), _to_complex_pairs(site))


def _transform_axis(site: AtenSite, operator: str, x: Value) -> Value:
    """Transform along one axis. It counts from the front, because netc's tensor may have the axis of complex parts at the end."""
    axis = site.integer("dim") % len(site.args["self"].meta["val"].shape)
    return site.apply_op(operator, x, axis=axis, n=site.size("n") if site.has_argument("n") else None, norm=site.args["norm"] or "backward")


@reads("fft_fft2", "fft_ifft2", "fft_rfft2", "fft_irfft2", "fft_fftn", "fft_ifftn", "fft_rfftn", "fft_irfftn")
def read_multi_axis_fft(site: AtenSite) -> Value:
    """Transform one axis after another.

    The real transform belongs to the last axis. It is the first step of `rfftn`, and the last step of `irfftn`.
    """
    name = site.name.removeprefix("fft_")[:-1]
    rank = len(site.args["self"].meta["val"].shape)
    sizes = site.sizes("s") if site.has_argument("s") else None
    axes = site.axes() or tuple(range(-len(sizes), 0) if sizes else range(rank))
    steps = [(axis % rank, sizes[number] if sizes is not None else None) for number, axis in enumerate(axes)]
    if sizes is not None and -1 in sizes:
        raise ImportRefused("has a size of -1", "give all sizes, or none")
    norm = site.args["norm"] or "backward"
    real = name in ("rfft", "irfft")
    x = site.tensor() if name == "rfft" else _to_complex_pairs(site)
    if name == "rfft":
        axis, size = steps.pop()
        x = site.apply_op("rfft", x, axis=axis, n=size, norm=norm)
    last = steps.pop() if name == "irfft" else None
    for axis, size in reversed(steps):
        x = site.apply_op(name.removeprefix("r") if name == "rfft" else "ifft" if real else name, x, axis=axis, n=size, norm=norm)
    return x if last is None else site.apply_op("irfft", x, axis=last[0], n=last[1], norm=norm)


def _to_complex_pairs(site: AtenSite) -> Value:
    """Return complex numbers as pairs, and real ones as pairs with imaginary parts of 0."""
    if site.args["self"].meta["val"].is_complex():
        return site.complex_pairs()
    x = site.tensor()
    # PyTorch transforms integers as float32 too.
    x = x if x.type.dtype.is_float else site.cast(x, FLOAT32)
    return site.apply_op("pad", site.apply_op("unsqueeze", x, axis=-1), padding=(0, 1))


@reads("view_as_real", "view_as_complex")
def read_complex_view(site: AtenSite) -> Value:
    return site.complex_pairs()


@reads("complex")
def read_complex(site: AtenSite) -> Value:
    return site.apply_op("stack", site.tensor("real"), site.tensor("imag"), axis=-1)


@reads("polar")
def read_polar(site: AtenSite) -> Value:
    """Read complex numbers of lengths and angles."""
    parts = [site.apply_op("mul", site.tensor("abs"), site.apply_op(name, site.tensor("angle"))) for name in ("cos", "sin")]
    return site.apply_op("stack", *parts, axis=-1)


@reads("_conj", "conj_physical")
def read_conjugate(site: AtenSite) -> Value:
    if not site.args["self"].meta["val"].is_complex():
        return site.tensor()
    return conjugate_pairs(site, site.complex_pairs())


@reads("real", "imag")
def read_complex_part(site: AtenSite) -> Value:
    return select_complex_part(site, site.complex_pairs(), int(site.name == "imag"))


@reads("abs")
def read_abs(site: AtenSite) -> Value:
    if site.args["self"].meta["val"].is_complex():
        # As in PyTorch, the gradient at 0 is 0. That of `hypot` is NaN: after one frame of silence, all weights would be NaN.
        return site.apply_op("norm", site.complex_pairs(), axis=(-1,))
    return site.apply_op("abs", site.tensor())


@reads("angle")
def read_angle(site: AtenSite) -> Value:
    if not site.args["self"].meta["val"].is_complex():
        raise ImportRefused("is given real numbers")
    x = site.complex_pairs()
    return site.apply_op("atan2", select_complex_part(site, x, 1), select_complex_part(site, x, 0))


def conjugate_pairs(site: AtenSite, x: Value) -> Value:
    return site.apply_op("stack", select_complex_part(site, x, 0), site.apply_op("neg", select_complex_part(site, x, 1)), axis=-1)


def select_complex_part(site: AtenSite, x: Value, index: int) -> Value:
    """Select the real parts or the imaginary parts of pairs, or return the tensor that the pairs were made of."""
    made = site.find_maker(x)
    if isinstance(made, OpNode) and made.op.name == "stack" and made.op.axis == -1:  # type: ignore[attr-defined]
        return made.inputs[index]
    return site.apply_op("select", x, axis=-1, index=index)
