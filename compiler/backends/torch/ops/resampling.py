"""Writes resampling in PyTorch: `nn.Upsample` in a sequence, `F.interpolate` elsewhere."""

from __future__ import annotations

from ....ops.resampling import GridSample, Upsample
from ...python.code.python_expressions import Code, Default, LetCode, call_function, to_code
from ..torch_emitters import TorchSite, function, module


def _emit_one_or_all(values: tuple[object, ...] | None) -> Code | None:
    """Write one number where all axes have the same."""
    if values is None:
        return None
    return to_code(values[0] if len(set(values)) == 1 else values, "size")


def _list_keywords(op: Upsample) -> dict[str, object]:
    return {
        "size": Default(_emit_one_or_all(op.size), None),
        "scale_factor": Default(_emit_one_or_all(op.scale), None),
        "mode": Default(op.mode, "nearest"),
        "align_corners": Default(op.align_corners, None),
        "recompute_scale_factor": Default(op.recompute_scale_factor or None, None),
    }


@module(Upsample, target="torch.nn.Upsample, torch.nn.functional.interpolate")
def emit_upsample_module(op: Upsample, site: TorchSite) -> Code:
    # The module has no `antialias`; what is written as a statement is never in a sequence.
    return LetCode((), emit_upsample_function(op, site)) if op.antialias else call_function("nn.Upsample", **_list_keywords(op))


@function(Upsample)
def emit_upsample_function(op: Upsample, site: TorchSite) -> Code:
    return call_function("F.interpolate", site.x, **_list_keywords(op), antialias=Default(op.antialias, False))


@function(GridSample, target="torch.nn.functional.grid_sample")
def emit_grid_sample(op: GridSample, site: TorchSite) -> Code:
    # PyTorch warns where `align_corners` is left out.
    options = {"mode": Default(op.mode, "bilinear"), "padding_mode": Default(op.padding_mode, "zeros"), "align_corners": op.align_corners}
    return call_function("F.grid_sample", site.x, site.grid, **options)
