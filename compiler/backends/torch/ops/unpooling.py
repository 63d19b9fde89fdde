"""Writes pools of two tensors in PyTorch: `F.max_unpool2d(x, indices, 2)`."""

from __future__ import annotations

from ....ops.unpooling import FractionalMaxPool, MaxUnpool
from ...python.code.python_expressions import Code, Default, TupleCode, call_function, to_code
from ...python.layer_arguments import collapse_sizes
from ..torch_emitters import TorchSite, function
from ..window_names import add_rank


@function(MaxUnpool, target="torch.nn.functional.max_unpool1d, torch.nn.functional.max_unpool2d, torch.nn.functional.max_unpool3d")
def emit_max_unpool(op: MaxUnpool, site: TorchSite) -> Code:
    kernels, strides, paddings = (collapse_sizes(numbers) for numbers in zip(*op.window_sides(site.given.x), strict=True))
    # The sizes of the result, since the argument may be one number for all axes, which PyTorch does not take.
    output_size = None if op.output_size is None else TupleCode(tuple(to_code(size, "size") for size in site.results[0].shape[2:]))
    return call_function(
        add_rank("F.max_unpool", site.given.x),
        site.x,
        site.indices,
        to_code(kernels, "kernel_size"),
        stride=Default(strides, kernels),
        padding=Default(paddings, 0),
        output_size=Default(output_size, None),
    )


@function(FractionalMaxPool, target="torch.nn.functional.fractional_max_pool2d, torch.nn.functional.fractional_max_pool3d")
def emit_fractional_max_pool(op: FractionalMaxPool, site: TorchSite) -> Code:
    x = site.given.x
    kernels, counts = (collapse_sizes(numbers) for numbers in zip(*op.window_sides(x), strict=True))
    how = (
        {"output_size": to_code(counts, "output_size")}
        if op.size is not None
        else {"output_ratio": to_code(op.axis_ratios(x), "output_ratio")}
    )
    return call_function(
        add_rank("F.fractional_max_pool", x),
        site.x,
        to_code(kernels, "kernel_size"),
        **how,
        return_indices=Default(len(site.results) == 2, False),
        # PyTorch takes samples by this name only, and draws its own without them, in evaluation too.
        _random_samples=Default(site.get("samples"), None),
    )
