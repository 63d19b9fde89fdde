"""Writes pools: `max_pool(x, kernel_size=(2, 2))`."""

from __future__ import annotations

from ....errors.target_errors import SourceUnsupported
from ....ops.pooling import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, LpPool, MaxPool
from ....ops.unpooling import FractionalMaxPool, MaxUnpool
from ....ops.windows import Window
from ..code.python_expressions import Code, Default, ItemCode, TupleCode, call_function, to_code
from ..layer_arguments import list_avg_pool_options, list_max_pool_options, list_stride_option
from ..operator_calls import OperatorSite
from ..unsupported_python import UnsupportedInPython
from .array_emitters import ARRAY, ArraySite


def _emit_kernel_size(windows: tuple[Window, ...]) -> Code:
    return to_code(tuple(w.taps for w in windows), "kernel_size")


@ARRAY.layer_function(MaxPool, target="{array}.maximum")
def emit_max_pool(op: MaxPool, site: ArraySite) -> Code:
    return write_max_pool(op, site, "max_pool")


def write_max_pool(op: MaxPool, site: OperatorSite, plain: str) -> Code:
    """Call the function `plain`, or the one that returns indices too where they are used."""
    x = site.given.x
    name = "max_pool_with_indices" if len(site.results) == 2 else plain
    return call_function(name, site.x, kernel_size=_emit_kernel_size(op.make_windows(x)), **list_max_pool_options(op, x))


@ARRAY.layer_function(AvgPool, target="{array}.maximum")
def emit_avg_pool(op: AvgPool, site: ArraySite) -> Code:
    x = site.given.x
    return call_function("avg_pool", site.x, kernel_size=_emit_kernel_size(op.make_windows(x)), **list_avg_pool_options(op, x))


@ARRAY.layer_function(LpPool, target="{array}.maximum")
def emit_lp_pool(op: LpPool, site: ArraySite) -> Code:
    windows = op.make_windows(site.given.x)
    options = {"kernel_size": _emit_kernel_size(windows), **list_stride_option(windows), "ceil_mode": Default(op.ceil_mode, False)}
    return call_function("lp_pool", site.x, norm_type=op.p, **options)


@ARRAY.layer_function(AdaptiveAvgPool, AdaptiveMaxPool, target="{array}.take")
def emit_adaptive_pool(op: AdaptiveAvgPool | AdaptiveMaxPool, site: ArraySite) -> Code:
    name = op.name if len(site.results) == 1 else f"{op.name}_with_indices"
    return call_function(name, site.x, output_size=TupleCode(tuple(to_code(n, "size") for n in op.result_sizes(site.given.x))))


@ARRAY.function(MaxUnpool, target="{array}.put_along_axis")
def emit_max_unpool(op: MaxUnpool, site: ArraySite) -> Code:
    kernel, stride, padding = zip(*op.window_sides(site.given.x), strict=True)
    size = None if op.output_size is None else TupleCode(tuple(to_code(size, "size") for size in site.results[0].shape[2:]))
    return call_function("max_unpool", site.x, site.indices, kernel, stride, padding, output_size=Default(size, None))


@ARRAY.function(FractionalMaxPool, target="{array}.take")
def emit_fractional_max_pool(op: FractionalMaxPool, site: ArraySite) -> Code:
    if "samples" not in site.given:
        advice = "pass `samples`, such as random numbers that are an input of the model"
        raise UnsupportedInPython(
            SourceUnsupported("`fractional_max_pool`", site.words.framework.title, "it draws its own samples", advice), site.node
        )
    kernel = tuple(taps for taps, _ in op.window_sides(site.given.x))
    sizes = TupleCode(tuple(to_code(size, "size") for size in site.results[0].shape[2:]))
    both = call_function("fractional_max_pool", site.x, site.samples, kernel, sizes)
    return both if len(site.results) == 2 else ItemCode(both, (to_code(0),), 2)
