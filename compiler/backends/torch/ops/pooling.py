"""Writes pools in PyTorch. Each has a module form and a function form, with the same arguments.

For example, `max_pool 2` becomes `nn.MaxPool2d(2)` in a row of modules and `F.max_pool2d(x, 2)` elsewhere.
"""

from __future__ import annotations

from ....ops.pooling import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, LpPool, MaxPool
from ....ops.windows import Window
from ...python.code.python_expressions import Code, Default, LetCode, Subscript, call_function, call_method, construct_module, to_code
from ...python.layer_arguments import collapse_sizes, list_avg_pool_options, list_max_pool_options, list_stride_option
from ..torch_emitters import TorchSite, function, module
from ..window_names import add_rank
from .parameters import to_float


def _emit_kernel_size(windows: tuple[Window, ...]) -> Code:
    return to_code(collapse_sizes(w.taps for w in windows), "kernel_size")


def _list_max_keywords(op: MaxPool, site: TorchSite) -> dict[str, object]:
    *options, ceil = list_max_pool_options(op, site.given.x).items()
    return dict([*options, ("return_indices", Default(len(site.results) == 2, False)), ceil])


def _needs_no_indices(site: TorchSite) -> bool:
    """Whether to ask for indices that nothing uses: PyTorch's kernel for one axis without indices takes no integers."""
    return site.given.x.rank == 3 and site.given.x.dtype.is_integer and len(site.results) == 1


@module(MaxPool, target="torch.nn.MaxPool1d, torch.nn.MaxPool2d, torch.nn.MaxPool3d")
def emit_max_pool_module(op: MaxPool, site: TorchSite) -> Code:
    x = site.given.x
    if _needs_no_indices(site):
        # A statement is never in a row of modules, so the function form is used there too.
        return LetCode((), emit_max_pool_function(op, site))
    return construct_module(
        add_rank("nn.MaxPool", x), {"kernel_size": _emit_kernel_size(op.make_windows(x))}, **_list_max_keywords(op, site)
    )


@function(MaxPool)
def emit_max_pool_function(op: MaxPool, site: TorchSite) -> Code:
    x = site.given.x
    keywords = _list_max_keywords(op, site)
    if _needs_no_indices(site):
        both = call_function(
            add_rank("F.max_pool", x), site.x, _emit_kernel_size(op.make_windows(x)), **{**keywords, "return_indices": True}
        )
        return Subscript(both, (to_code(0),))
    return call_function(add_rank("F.max_pool", x), site.x, _emit_kernel_size(op.make_windows(x)), **keywords)


@module(AvgPool, target="torch.nn.AvgPool1d, torch.nn.AvgPool2d, torch.nn.AvgPool3d")
def emit_avg_pool_module(op: AvgPool, site: TorchSite) -> Code:
    x = site.given.x
    return construct_module(
        add_rank("nn.AvgPool", x), {"kernel_size": _emit_kernel_size(op.make_windows(x))}, **list_avg_pool_options(op, x)
    )


@function(AvgPool)
def emit_avg_pool_function(op: AvgPool, site: TorchSite) -> Code:
    x = site.given.x
    return call_function(add_rank("F.avg_pool", x), site.x, _emit_kernel_size(op.make_windows(x)), **list_avg_pool_options(op, x))


def _get_power(op: LpPool, site: TorchSite) -> int | float:
    """Return the power, as a float for integers: with an integer power, integers stay integers, and their mean is truncated."""
    return op.p if site.given.x.dtype.is_float else to_float(op.p)


@module(LpPool, target="torch.nn.LPPool1d, torch.nn.LPPool2d, torch.nn.LPPool3d")
def emit_lp_pool_module(op: LpPool, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    sizes = {"norm_type": _get_power(op, site), "kernel_size": _emit_kernel_size(windows)}
    return construct_module(add_rank("nn.LPPool", x), sizes, **list_stride_option(windows), ceil_mode=Default(op.ceil_mode, False))


@function(LpPool)
def emit_lp_pool_function(op: LpPool, site: TorchSite) -> Code:
    x = site.given.x
    windows = op.make_windows(x)
    return call_function(
        add_rank("F.lp_pool", x),
        site.x,
        _get_power(op, site),
        _emit_kernel_size(windows),
        **list_stride_option(windows),
        ceil_mode=Default(op.ceil_mode, False),
    )


@module(AdaptiveAvgPool, target="torch.nn.AdaptiveAvgPool1d, torch.nn.AdaptiveAvgPool2d, torch.nn.AdaptiveAvgPool3d")
def emit_adaptive_avg_pool_module(op: AdaptiveAvgPool, site: TorchSite) -> Code:
    x = site.given.x
    return construct_module(add_rank("nn.AdaptiveAvgPool", x), {"output_size": collapse_sizes(op.result_sizes(x))})


@function(AdaptiveAvgPool)
def emit_adaptive_avg_pool_function(op: AdaptiveAvgPool, site: TorchSite) -> Code:
    x = site.given.x
    return call_function(add_rank("F.adaptive_avg_pool", x), site.x, collapse_sizes(op.result_sizes(x)))


@module(AdaptiveMaxPool, target="torch.nn.AdaptiveMaxPool1d, torch.nn.AdaptiveMaxPool2d, torch.nn.AdaptiveMaxPool3d")
def emit_adaptive_max_pool_module(op: AdaptiveMaxPool, site: TorchSite) -> Code:
    x = site.given.x
    return construct_module(
        add_rank("nn.AdaptiveMaxPool", x),
        {"output_size": collapse_sizes(op.result_sizes(x))},
        return_indices=Default(len(site.results) == 2, False),
    )


@function(AdaptiveMaxPool)
def emit_adaptive_max_pool_function(op: AdaptiveMaxPool, site: TorchSite) -> Code:
    x = site.given.x
    return call_function(
        add_rank("F.adaptive_max_pool", x),
        site.x,
        collapse_sizes(op.result_sizes(x)),
        return_indices=Default(len(site.results) == 2, False),
    )


def _get_spatial_axes(site: TorchSite) -> int | tuple[int, ...]:
    """Return the axes that are removed, a single one as a number."""
    first, *others = range(2, site.given.x.rank)
    return (first, *others) if others else first


@function(GlobalAvgPool, target="torch.mean")
def emit_global_avg_pool_function(op: GlobalAvgPool, site: TorchSite) -> Code:
    return call_method(site.x, "mean", dim=to_code(_get_spatial_axes(site)))


@function(GlobalMaxPool, target="torch.amax")
def emit_global_max_pool_function(op: GlobalMaxPool, site: TorchSite) -> Code:
    return call_method(site.x, "amax", dim=to_code(_get_spatial_axes(site)))


@module(GlobalAvgPool)
def emit_global_avg_pool_module(op: GlobalAvgPool, site: TorchSite) -> Code:
    """Write the two modules that people write for it in a sequence. Neither has parameters to name."""
    pool = construct_module(add_rank("nn.AdaptiveAvgPool", site.given.x), {"output_size": 1})
    return call_function("nn.Sequential", pool, call_function("nn.Flatten"))


@module(GlobalMaxPool)
def emit_global_max_pool_module(op: GlobalMaxPool, site: TorchSite) -> Code:
    if not site.given.x.dtype.is_float:
        return LetCode((), emit_global_max_pool_function(op, site))  # PyTorch's module takes no integers
    pool = construct_module(add_rank("nn.AdaptiveMaxPool", site.given.x), {"output_size": 1})
    return call_function("nn.Sequential", pool, call_function("nn.Flatten"))
