"""Writes slices, padding and repetition in PyTorch: `x[:, 1:]`, `F.pad(x, (1, 1))`."""

from __future__ import annotations

from collections.abc import Sequence

from ....dims import Dim
from ....ops.operator import strict_key
from ....ops.slicing import Flip, Pad, RepeatInterleave, Roll, Select, Tile
from ...python.code.python_expressions import Code, Default, TupleCode, call_function, call_method, construct_module, shorten_float, to_code
from ...python.operator_forms import emit_select
from ..torch_emitters import TorchSite, function, module

_PADS = {"reflect": "nn.ReflectionPad", "replicate": "nn.ReplicationPad", "circular": "nn.CircularPad"}


def _emit_one_or_all(values: Sequence[int]) -> Code:
    return to_code(values[0]) if len(values) == 1 else to_code(tuple(values))


function(Select, target="torch.select, x[:, index]")(emit_select)


@function(Pad, target="torch.nn.functional.pad")
def emit_pad_function(op: Pad, site: TorchSite) -> Code:
    if op.mode != "constant":
        return call_function("F.pad", site.x, to_code(op.padding, "padding"), mode=op.mode)
    return call_function("F.pad", site.x, to_code(op.padding, "padding"), value=Default(_get_pad_value(op, site), 0))


@module(Pad)
def emit_pad_module(op: Pad, site: TorchSite) -> Code:
    # The rank in the name of a constant padding does not matter.
    # PyTorch has classes for one to three axes, which all call `F.pad` with any number of amounts.
    rank = f"{min(max(len(op.padding) // 2, 1), 3)}d"
    if op.mode != "constant":
        return construct_module(f"{_PADS[op.mode]}{rank}", {"padding": to_code(op.padding)})
    value = _get_pad_value(op, site)
    if strict_key(value) == strict_key(0):
        return construct_module(f"nn.ZeroPad{rank}", {"padding": to_code(op.padding)})
    return construct_module(f"nn.ConstantPad{rank}", {"padding": to_code(op.padding), "value": value})


def _get_pad_value(op: Pad, site: TorchSite) -> int | float:
    """Write an integral float as an integer: `F.pad(x, (1, 1), value=-1)`."""
    value = op.convert_fill_value(site.given.x.dtype)
    return int(value) if isinstance(value, bool) else shorten_float(value)


@function(Flip, target="torch.flip")
def emit_flip(op: Flip, site: TorchSite) -> Code:
    return call_method(site.x, "flip", *op.axis)


@function(Roll, target="torch.roll")
def emit_roll(op: Roll, site: TorchSite) -> Code:
    if op.axis is None:
        # Without an axis, PyTorch rolls the flattened tensor.
        return call_function("torch.roll", site.x, to_code(op.shifts[0], "shift"))
    return call_function("torch.roll", site.x, shifts=_emit_one_or_all(op.shifts), dims=_emit_one_or_all(op.axis))


@function(Tile, target="torch.tile")
def emit_tile(op: Tile, site: TorchSite) -> Code:
    repeats: tuple[Dim, ...] = op.repeats
    return (
        call_method(site.x, "tile", *(to_code(count, "count") for count in repeats))
        if repeats
        else call_method(site.x, "tile", TupleCode(()))
    )


@function(RepeatInterleave, target="torch.repeat_interleave")
def emit_repeat_interleave(op: RepeatInterleave, site: TorchSite) -> Code:
    return call_method(site.x, "repeat_interleave", to_code(op.repeats, "repeats"), dim=Default(op.axis, None))
