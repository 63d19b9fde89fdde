"""Reads bags of embeddings: `nn.EmbeddingBag(10, 4)` becomes `embedding_bag 10 4`.

PyTorch flattens the rows of indices `[N, n]` and counts where each begins. The spec has the rows instead. Bags whose weight is no parameter
of their own become an `embedding` and a reduction.
"""

from __future__ import annotations

from math import inf
from typing import Any

from torch.fx import Node

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads
from ..node_targets import bind_arguments, is_operator, operator_name, to_dtype

_MODES = ("sum", "mean", "max")


@reads("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only")
def read_embedding_bag(site: AtenSite) -> tuple[Value | None, ...]:
    """Read sums or means of the rows of bags. A bag's indices begin at its offset. The other results serve the gradient."""
    if any(site.reads_result(number) for number in range(1, len(site.result))):
        raise ImportRefused("gives more than the rows of its bags")
    num, dim = (int(size) for size in site.args["weight"].meta["val"].shape)
    mode, padding = _MODES[site.integer("mode")], site.args.get("padding_idx")
    # aten has -1 where the module has None.
    arguments = {"num": num, "dim": dim, "padding_idx": None if padding in (None, -1) else site.integer("padding_idx")}
    tensors = _find_tensors(site)
    results = site.try_layer(
        "embedding_bag",
        *tensors.values(),
        given={"weight": "weight"},
        named=tuple(name for name in tensors if name != "indices"),
        mode=mode,
        include_last_offset=bool(site.args["include_last_offset"]),
        dtype=to_dtype(site.result[0].dtype),
        **arguments,
    )
    result = results[0] if results is not None else _reduce_rows(site, tensors, mode, arguments)
    return result, *[None] * (len(site.result) - 1)


def _find_tensors(site: AtenSite) -> dict[str, Value]:
    """Return the indices with their weights and offsets, if they have some."""
    names = [name for name in ("indices", "per_sample_weights", "offsets") if site.has_argument(name)]
    rows = {name: _find_rows(site, site.args[name]) for name in names if name != "offsets"}
    if site.has_argument("offsets") and not site.args["include_last_offset"] and None not in rows.values():
        return {name: site.tensor_of(node) for name, node in rows.items()}
    return {name: site.tensor(name) for name in names}


def _find_rows(site: AtenSite, flat: Any) -> Node | None:
    """Return the rows that were flattened to a tensor, if each of them is a bag."""
    if not isinstance(flat, Node) or not is_operator(flat) or operator_name(flat) not in ("reshape", "view"):
        return None
    rows, offsets = flat.args[0], site.args["offsets"]
    if not isinstance(rows, Node) or rows.meta["val"].dim() != 2 or not is_operator(offsets) or operator_name(offsets) != "arange":
        return None
    begins, shape = bind_arguments(offsets), rows.meta["val"].shape
    to_dim = site.scope.model.sizes.to_dim
    count, length = to_dim(offsets.meta["val"].shape[0]), begins.get("step")
    length = to_dim(length.meta["val"]) if isinstance(length, Node) else length
    is_counted = begins.get("start") in (0, None) and (count, length) == tuple(map(to_dim, shape))
    return rows if is_counted else None


def _reduce_rows(site: AtenSite, tensors: dict[str, Value], mode: str, arguments: dict[str, Any]) -> Value:
    """Look up the rows of a given weight, and reduce each bag of them."""
    if "offsets" in tensors:
        raise ImportRefused("has a weight that is computed, and offsets")
    indices, padding = tensors["indices"], arguments["padding_idx"]
    rows = site.apply_op("embedding", indices, site.tensor("weight"), named=("weight",), **arguments)
    if "per_sample_weights" in tensors:
        rows = site.apply_op("mul", rows, site.apply_op("unsqueeze", tensors["per_sample_weights"], axis=2))
    if padding is None:
        return site.apply_op(mode, rows, axis=(1,))
    left_out = site.apply_op("unsqueeze", site.apply_op("eq", indices, other=padding % arguments["num"]), axis=2)
    if mode == "max":
        result = site.apply_op("max", site.apply_op("masked_fill", rows, left_out, value=-inf), axis=(1,))
        return site.apply_op("masked_fill", result, site.apply_op("all", left_out, axis=(1,)), value=0)
    result = site.apply_op("sum", site.apply_op("masked_fill", rows, left_out, value=0), axis=(1,))
    if mode == "sum":
        return result
    counted = site.cast(site.apply_op("sum", site.apply_op("logical_not", left_out), axis=(1,)), result.type.dtype)
    return site.apply_op("div", result, site.apply_op("clamp", counted, min=1))
