"""Reads short-time Fourier transforms: `torch.stft(x, 400, 160, return_complex=True)` becomes `stft 400 160`.

Complex numbers are pairs on a last axis, as in spectral.py.
"""

from __future__ import annotations

from typing import Any

from ....ir.graph import OpNode, has_operator
from ....ir.graph_values import Value
from ....ops.shape import Reshape
from ....ops.slicing import Pad
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


@reads("stft")
def read_stft(site: AtenSite) -> Value:
    """Read the transforms of windows. torch.export pads the signal before, if the windows are centered."""
    x, size = site.tensor(), site.integer("n_fft")
    if site.args.get("align_to_window"):
        raise ImportRefused("aligns its windows with `align_to_window`, which `stft` does not")
    # A result without complex numbers has the pairs that netc has.
    site.args.get("return_complex")
    centered = _find_centered(site, x, size // 2)
    padding: dict[str, Any] = {"center": False} if centered is None else {} if centered[1] == "reflect" else {"pad_mode": centered[1]}
    return _apply_transform(site, "stft", x if centered is None else centered[0], **padding)


@reads("istft")
def read_istft(site: AtenSite) -> Value:
    if site.args.get("return_complex"):
        raise ImportRefused("gives complex numbers, and `istft` real ones")
    length = {"length": site.size("length")} if site.has_argument("length") else {}
    return _apply_transform(site, "istft", site.complex_pairs(), center=bool(site.args["center"]), **length)


def _apply_transform(site: AtenSite, operator: str, x: Value, **arguments: Any) -> Value:
    """Apply one of both directions."""
    weights = (site.tensor("window"),) if site.has_argument("window") else ()
    lengths = {name: site.integer(name) for name in ("hop_length", "win_length") if site.has_argument(name)}
    onesided = {"onesided": bool(site.args["onesided"])} if site.has_argument("onesided") else {}
    normalized = bool(site.args["normalized"])
    return site.apply_op(operator, x, *weights, n_fft=site.integer("n_fft"), normalized=normalized, **lengths, **onesided, **arguments)


def _find_centered(site: AtenSite, x: Value, edge: int) -> tuple[Value, str] | None:
    """Return the signal, if the tensor is one that was padded at both ends, and the mode of the padding.

    PyTorch pads `[N, T]` as the three axes `[1, N, T]`.
    """
    back = _match_maker(site, x, Reshape)
    pad = None if back is None else _match_maker(site, back.inputs[0], Pad)
    front = None if pad is None else _match_maker(site, pad.inputs[0], Reshape)
    if pad is None or front is None or not edge or pad.op.args["padding"] != (edge, edge):
        return None
    signal, mode = front.inputs[0], str(pad.op.args["mode"])
    is_same = signal.type.shape[:-1] == x.type.shape[:-1]
    is_plain = mode != "constant" or pad.op.args["value"] == 0
    return (signal, mode) if is_same and is_plain else None


def _match_maker(site: AtenSite, x: Value, operator: type[Reshape] | type[Pad]) -> OpNode | None:
    """Return the operator that makes a tensor, if it is of this kind."""
    maker = site.find_maker(x)
    return maker if has_operator(maker, operator) else None
