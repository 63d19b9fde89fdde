"""The way back from pools in PyTorch."""

from __future__ import annotations

from ....ops.unpooling import MaxUnpool
from ...python.code.expressions import Code, TupleCode, call, lit
from ..table import TorchSite, function
from ..windows import ranked, sizes


@function(MaxUnpool, torch="torch.nn.functional.max_unpool1d, torch.nn.functional.max_unpool2d, torch.nn.functional.max_unpool3d")
def max_unpool(op: MaxUnpool, site: TorchSite) -> Code:
    kernels, strides, paddings = (sizes(numbers) for numbers in zip(*op.sides(site.given.x), strict=True))
    whole = None if op.output_size is None else TupleCode(tuple(lit(size, "size") for size in site.results[0].shape[2:]))
    return call(
        ranked("F.max_unpool", site.given.x),
        site.x,
        site.indices,
        lit(kernels, "kernel_size"),
        stride=(strides, kernels),
        padding=(paddings, 0),
        output_size=(whole, None),
    )
