"""Multi-head attention as PyTorch's module has it. `attention` is analyzed by its definition."""

from __future__ import annotations

from collections.abc import Sequence

from ...ops.multihead import MultiheadAttention
from ...types.tensor_types import BOOL
from ..abstract_tensors import AbstractTensor
from ..element_facts import Fact, add_facts, make_point
from ..position_axes import make_axis
from ..position_order import replace_pairs
from ..position_relations import HIDDEN, VISIBLE
from ..proof_rules import proof_rule
from ..rule_site import RuleSite
from .elementwise import choose_fact
from .linear_algebra import contract
from .reduction import weigh_scores

HIDDEN_SCORE = Fact(make_point(float("-inf")))


@proof_rule(MultiheadAttention)
def analyze_multihead_attention(site: RuleSite) -> Sequence[AbstractTensor]:
    """Scores have the axes `[N, 1, L, S]`: the heads share the features, which are mixed anyway."""
    op, given, positions = site.op, site.given, site.positions
    if op.added or given.query.rank < 3:
        return site.forget_positions()
    query, key, value = (_mix_features(site, name) for name in ("query", op.key_input(given), op.value_input(given)))
    scores = contract(site, [query, key], [("n", "l", "e"), ("n", "s", "e")], ("n", "l", "s"))
    scores = positions.move_axes(scores, [0, (), 1, 2])
    for name in op.mask_inputs(given):
        scores = _mask_scores(site, scores, _align_mask(site, name), given[name].dtype == BOOL)
    if op.causal and not op.ends_together(given, "query", op.key_input(given)):
        scores = replace_pairs(positions, scores, (2, 3), (VISIBLE, HIDDEN), HIDDEN_SCORE)
    weights = weigh_scores(site, scores, 3)
    attended = contract(site, [weights, value], [("n", "h", "l", "s"), ("n", "s", "e")], ("n", "h", "l", "e"))
    result = positions.replace_axis(_mix_heads(site, attended), 2, site.results[0].shape[-1])
    # The weights are a result only where a stage uses them.
    shown = [positions.replace_axis(weights, 1, op.heads) if type_.rank == 4 else _mix_heads(site, weights) for type_ in site.results[1:]]
    return [site.combine_unknown(tensor) for tensor in (result, *shown)]


def _mix_features(site: RuleSite, name: str) -> AbstractTensor:
    x = site.get(name)
    return site.combine_unknown(site.positions.replace_axis(x, 2, site.given.query.shape[-1]))


def _align_mask(site: RuleSite, name: str) -> AbstractTensor:
    """Return a mask with the axes of the scores."""
    mask, positions = site.get(name), site.positions
    if name == "padding":
        return positions.move_axes(mask, [0, (), (), 1])
    if mask.rank == 2:
        return positions.move_axes(mask, [(), (), 0, 1])
    length, keys = site.given[name].shape[-2:]
    return positions.regroup(mask, (site.given.query.shape[0], site.op.heads, length, keys))


def _mask_scores(site: RuleSite, scores: AbstractTensor, mask: AbstractTensor, is_bool: bool) -> AbstractTensor:
    if not is_bool:
        return site.combine(lambda facts: add_facts(*facts), scores, mask)
    # PyTorch's module hides the keys at which the mask is true.
    return site.positions.combine([mask, scores], lambda facts: choose_fact([facts[0], HIDDEN_SCORE, facts[1]]))


def _mix_heads(site: RuleSite, tensor: AbstractTensor) -> AbstractTensor:
    positions = site.positions
    return positions.remove_axes(positions.reduce(tensor, (1,)), (1,))


def analyze_own_keys(site: RuleSite) -> Sequence[AbstractTensor]:
    """Analyze `attention` over `[N, heads, T, features]` as if each query saw its own key alone, to ask what other stages mix. Queries
    along any other axis than that of positions `[N, T]` stay mixed."""
    positions, (result,) = site.positions, site.results
    samples, length = (make_axis(size, role) for role, size in enumerate(positions.whole))
    parts = list[AbstractTensor]()
    for tensor in (site.get("q"), site.get("k"), site.get("v")):
        if (tensor.axes[0], tensor.axes[2]) != (samples, length):
            parts.append(positions.forget_positions(tensor, result.shape))
            continue
        for axis in (1, 3):
            tensor = positions.replace_axis(tensor, axis, result.shape[axis])
        parts.append(tensor)
    return [site.combine_unknown(*parts)]
