"""Pools in PyTorch. Each has the form of a module and that of a function, with the same arguments."""

from __future__ import annotations

from ....ops.pooling import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, LpPool, MaxPool
from ....ops.windows import Window
from ...python.code.python_expressions import Code, Default, LetCode, Subscript, call_function, call_method, construct_module, to_code
from ..torch_emitters import TorchSite, function, module
from ..window_names import ranked, sizes
from .parameters import as_float


def _window(windows: tuple[Window, ...]) -> dict[str, object]:
    """The stride is left out where it is the kernel."""
    kernel = sizes(tuple(w.taps for w in windows))
    return {"stride": Default(sizes(tuple(w.stride for w in windows)), kernel)}


def _kernel(windows: tuple[Window, ...]) -> Code:
    return to_code(sizes(tuple(w.taps for w in windows)), "kernel_size")


def _max_keywords(op: MaxPool, site: TorchSite) -> dict[str, object]:
    windows = op.make_windows(site.given.x)
    return {
        **_window(windows),
        "padding": Default(sizes(tuple(w.before for w in windows)), 0),
        "dilation": Default(sizes(tuple(w.dilation for w in windows)), 1),
        "return_indices": Default(len(site.results) == 2, False),
        "ceil_mode": Default(op.ceil_mode, False),
    }


def _values_alone(site: TorchSite) -> bool:
    """PyTorch has another kernel for one axis without indices, which takes no integers."""
    return site.given.x.rank == 3 and site.given.x.dtype.is_integer and len(site.results) == 1


@module(MaxPool, target="torch.nn.MaxPool1d, torch.nn.MaxPool2d, torch.nn.MaxPool3d")
def max_pool(op: MaxPool, site: TorchSite) -> Code:
    x = site.given.x
    if _values_alone(site):
        return LetCode((), max_pool_function(op, site))
    return construct_module(ranked("nn.MaxPool", x), {"kernel_size": _kernel(op.make_windows(x))}, **_max_keywords(op, site))


@function(MaxPool)
def max_pool_function(op: MaxPool, site: TorchSite) -> Code:
    x = site.given.x
    keywords = _max_keywords(op, site)
    if _values_alone(site):
        both = call_function(ranked("F.max_pool", x), site.x, _kernel(op.make_windows(x)), **{**keywords, "return_indices": True})
        return Subscript(both, (to_code(0),))
    return call_function(ranked("F.max_pool", x), site.x, _kernel(op.make_windows(x)), **keywords)


def _avg_keywords(op: AvgPool, site: TorchSite) -> dict[str, object]:
    windows = op.make_windows(site.given.x)
    return {
        **_window(windows),
        "padding": Default(sizes(tuple(w.before for w in windows)), 0),
        "ceil_mode": Default(op.ceil_mode, False),
        "count_include_pad": Default(op.count_include_pad, True),
        "divisor_override": Default(op.divisor_override, None),
    }


@module(AvgPool, target="torch.nn.AvgPool1d, torch.nn.AvgPool2d, torch.nn.AvgPool3d")
def avg_pool(op: AvgPool, site: TorchSite) -> Code:
    x = site.given.x
    return construct_module(ranked("nn.AvgPool", x), {"kernel_size": _kernel(op.make_windows(x))}, **_avg_keywords(op, site))


@function(AvgPool)
def avg_pool_function(op: AvgPool, site: TorchSite) -> Code:
    x = site.given.x
    return call_function(ranked("F.avg_pool", x), site.x, _kernel(op.make_windows(x)), **_avg_keywords(op, site))


def _power(op: LpPool, site: TorchSite) -> int | float:
    """With an integer power, integers stay integers, and their mean is truncated."""
    return op.p if site.given.x.dtype.is_float else as_float(op.p)


@module(LpPool, target="torch.nn.LPPool1d, torch.nn.LPPool2d, torch.nn.LPPool3d")
def lp_pool(op: LpPool, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    sizes = {"norm_type": _power(op, site), "kernel_size": _kernel(windows)}
    return construct_module(ranked("nn.LPPool", x), sizes, **_window(windows), ceil_mode=Default(op.ceil_mode, False))


@function(LpPool)
def lp_pool_function(op: LpPool, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    return call_function(
        ranked("F.lp_pool", x), site.x, _power(op, site), _kernel(windows), **_window(windows), ceil_mode=Default(op.ceil_mode, False)
    )


@module(AdaptiveAvgPool, target="torch.nn.AdaptiveAvgPool1d, torch.nn.AdaptiveAvgPool2d, torch.nn.AdaptiveAvgPool3d")
def adaptive_avg_pool(op: AdaptiveAvgPool, site: TorchSite) -> Code:
    x = site.given.x
    return construct_module(ranked("nn.AdaptiveAvgPool", x), {"output_size": sizes(op.result_sizes(x))})


@function(AdaptiveAvgPool)
def adaptive_avg_pool_function(op: AdaptiveAvgPool, site: TorchSite) -> Code:
    x = site.given.x
    return call_function(ranked("F.adaptive_avg_pool", x), site.x, sizes(op.result_sizes(x)))


@module(AdaptiveMaxPool, target="torch.nn.AdaptiveMaxPool1d, torch.nn.AdaptiveMaxPool2d, torch.nn.AdaptiveMaxPool3d")
def adaptive_max_pool(op: AdaptiveMaxPool, site: TorchSite) -> Code:
    x = site.given.x
    return construct_module(
        ranked("nn.AdaptiveMaxPool", x), {"output_size": sizes(op.result_sizes(x))}, return_indices=Default(len(site.results) == 2, False)
    )


@function(AdaptiveMaxPool)
def adaptive_max_pool_function(op: AdaptiveMaxPool, site: TorchSite) -> Code:
    x = site.given.x
    return call_function(
        ranked("F.adaptive_max_pool", x), site.x, sizes(op.result_sizes(x)), return_indices=Default(len(site.results) == 2, False)
    )


def _spatial(site: TorchSite) -> int | tuple[int, ...]:
    """The axes that are removed, one as a number."""
    first, *others = range(2, site.given.x.rank)
    return (first, *others) if others else first


@function(GlobalAvgPool, target="torch.mean")
def global_avg_pool(op: GlobalAvgPool, site: TorchSite) -> Code:
    return call_method(site.x, "mean", dim=to_code(_spatial(site)))


@function(GlobalMaxPool, target="torch.amax")
def global_max_pool(op: GlobalMaxPool, site: TorchSite) -> Code:
    return call_method(site.x, "amax", dim=to_code(_spatial(site)))


@module(GlobalAvgPool)
def global_avg_pool_module(op: GlobalAvgPool, site: TorchSite) -> Code:
    """Not a single module of PyTorch, but what one writes within a sequence; it has no parameters to name."""
    pool = construct_module(ranked("nn.AdaptiveAvgPool", site.given.x), {"output_size": 1})
    return call_function("nn.Sequential", pool, call_function("nn.Flatten"))


@module(GlobalMaxPool)
def global_max_pool_module(op: GlobalMaxPool, site: TorchSite) -> Code:
    if not site.given.x.dtype.is_float:
        return LetCode((), global_max_pool(op, site))  # the module takes no integers
    pool = construct_module(ranked("nn.AdaptiveMaxPool", site.given.x), {"output_size": 1})
    return call_function("nn.Sequential", pool, call_function("nn.Flatten"))
