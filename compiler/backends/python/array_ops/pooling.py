"""Writes pools: `max_pool(x, kernel_size=(2, 2))`."""

from __future__ import annotations

from ....errors.target_errors import SourceUnsupported
from ....ops.pooling import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, LpPool, MaxPool
from ....ops.unpooling import FractionalMaxPool, MaxUnpool
from ....ops.windows import Window
from ..code.python_expressions import Code, Default, ItemCode, TupleCode, call_function, to_code
from ..unsupported_python import UnsupportedInPython
from .array_emitters import ARRAY, ArraySite, collapse_sizes


def _list_window_keywords(windows: tuple[Window, ...]) -> dict[str, object]:
    kernel = tuple(w.taps for w in windows)
    stride = tuple(w.stride for w in windows)
    strides = {} if stride == kernel else {"stride": collapse_sizes(stride)}
    return {"kernel_size": to_code(kernel, "kernel_size"), **strides}


@ARRAY.layer_function(MaxPool, target="{array}.maximum")
def emit_max_pool(op: MaxPool, site: ArraySite) -> Code:
    windows = op.make_windows(site.given.x)
    return call_function(
        "max_pool_with_indices" if len(site.results) == 2 else "max_pool",
        site.x,
        **_list_window_keywords(windows),
        padding=Default(collapse_sizes(w.before for w in windows), 0),
        dilation=Default(collapse_sizes(w.dilation for w in windows), 1),
        ceil_mode=Default(op.ceil_mode, False),
    )


@ARRAY.layer_function(AvgPool, target="{array}.maximum")
def emit_avg_pool(op: AvgPool, site: ArraySite) -> Code:
    windows = op.make_windows(site.given.x)
    return call_function(
        "avg_pool",
        site.x,
        **_list_window_keywords(windows),
        padding=Default(collapse_sizes(w.before for w in windows), 0),
        ceil_mode=Default(op.ceil_mode, False),
        count_include_pad=Default(op.count_include_pad, True),
        divisor_override=Default(op.divisor_override, None),
    )


@ARRAY.layer_function(LpPool, target="{array}.maximum")
def emit_lp_pool(op: LpPool, site: ArraySite) -> Code:
    keywords = _list_window_keywords(op.make_windows(site.given.x))
    return call_function("lp_pool", site.x, norm_type=op.p, **keywords, ceil_mode=Default(op.ceil_mode, False))


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
