"""Multi-head attention as other operators, for its derivative.

>>> import netc
>>> (node,) = netc.compile("input [5, 8] -> multihead_attention 2").program.main.nodes
>>> print(write_multihead_attention(node).splitlines()[-1])
out (attended, out_proj_weight, out_proj_bias) -> dense (query.shape[-1])
"""

from __future__ import annotations

from ..ir.graph import OpNode
from ..types.tensor_types import BOOL

_HEADS = "unflatten (-1) [heads, query.shape[-1] // heads] -> transpose (-3) (-2)"


def write_multihead_attention(node: OpNode) -> str:
    """The formula of torch.nn.MultiheadAttention, without keys that it adds."""
    op = node.op
    names = op.assign_operands(tuple(value.type for value in node.inputs))
    if op.args["add_bias_kv"] or op.args["add_zero_attn"]:
        return ""
    lines = [*_write_projections(node, names), "scores0 = (q @ (k -> transpose (-2) (-1))) * (query.shape[-1] // heads) ** -0.5"]
    masks = _write_masks(node, names)
    lines += [f"scores{i + 1} = {mask.format(f'scores{i}')}" for i, mask in enumerate(masks)]
    scores = f"scores{len(masks)}"
    # A query that sees no key gets zeros, or NaN where the weights are a result.
    if len(node.outputs) > 1:
        lines.append(f"weights = {scores} -> softmax axis=-1")
    else:
        lines.append(f"blind = {scores} == -inf -> all axis=-1 keepdim=true")
        lines.append(f"weights = (({scores}, blind) -> masked_fill 0 -> softmax axis=-1, blind) -> masked_fill 0")
    lines.append("attended = weights @ v -> transpose (-3) (-2) -> flatten start=(-2)")
    bias = ", out_proj_bias" if op.args["bias"] else ""
    mean = " -> mean axis=-3" if op.args["average_attn_weights"] else ""
    seen = f", weights{mean}" if len(node.outputs) > 1 else ""
    return "\n".join([*lines, f"out (attended, out_proj_weight{bias}) -> dense (query.shape[-1]){seen}"])


def _write_projections(node: OpNode, names: tuple[str, ...]) -> list[str]:
    """Queries, keys and values, with the heads as the third axis from the end."""
    key = "key" if "key" in names else "query"
    sources = {"q": "query", "k": key, "v": "value" if "value" in names else key}
    lines = list[str]()
    if any(spec.name == "in_proj_weight" for spec in node.specs):
        lines.append("(q_weight, k_weight, v_weight) = in_proj_weight -> chunk 3 axis=0")
    else:
        lines += [f"{part}_weight = identity({part}_proj_weight)" for part in sources]
    bias = ""
    if node.op.args["bias"]:
        lines.append("(q_bias, k_bias, v_bias) = in_proj_bias -> chunk 3 axis=0")
        bias = ", {}_bias"
    for part, source in sources.items():
        lines.append(f"{part} = ({source}, {part}_weight{bias.format(part)}) -> dense (query.shape[-1]) -> {_HEADS}")
    return lines


def _write_masks(node: OpNode, names: tuple[str, ...]) -> list[str]:
    """What is done to the scores `{}`, one mask after the other."""
    dtypes = dict(zip(names, (value.type.dtype for value in node.inputs), strict=True))
    ranks = dict(zip(names, (value.type.rank for value in node.inputs), strict=True))
    places = {
        "attn_mask": "attn_mask" + (" -> unflatten 0 [query.shape[0], heads]" if ranks.get("attn_mask") == 3 else ""),
        "padding": "padding" + " -> unsqueeze (-2)" * 2,
    }
    if ranks["query"] == 2:
        places["attn_mask"] = "attn_mask"
    masks = [
        f"({{}}, {place}) -> masked_fill (-inf)" if dtypes[name] == BOOL else f"{{}} + ({place})"
        for name, place in places.items()
        if name in names
    ]
    if node.op.args["causal"]:
        offset = "k.shape[-2] - q.shape[-2]" if node.op.args["align"] == "end" else "0"
        masks.append(f"({{}}, table (i, j) [q.shape[-2], k.shape[-2]] bool = j > i + {offset}) -> masked_fill (-inf)")
    return masks
