"""Refuses a graph that a runtime cannot run, at the stage of the spec.

In: a graph, the types of its initializers, a profile, and the stages by path. Out: an error at the first such stage, or nothing. Always:
the name of a node begins with the path of its stage: `block.conv1/Pad` belongs to `block.conv1`.

For example, `rfft` for tract is refused, because tract has no DFT of a symbolic length.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx import ModelProto, helper

from ....errors.target_errors import RuntimeUnsupported, UnsupportedByTarget
from ....ir.graph import OpNode
from ....weights.lazy_tensors import StoredTensor
from ..onnx_types import element_code
from .find_limits import FoundLimit, find_limits
from .runtime_profile import RuntimeProfile


def refuse_limits(proto: ModelProto, tensors: Mapping[str, StoredTensor], profile: RuntimeProfile, stages: Mapping[str, OpNode]) -> None:
    """Raise `UnsupportedByTarget` at the first stage that the runtime cannot run."""
    for node in stages.values():
        reason = profile.find_stage_reason(node)
        if reason is not None:
            advice = "write it otherwise, with fixed sizes (`--dim`) or another element type, or choose another runtime"
            raise _make_error(node, f"`{node.op.name}`", profile, reason, advice)
    typed = ModelProto()
    typed.CopyFrom(proto)
    for name, stored in tensors.items():
        if stored.dtype is not None:
            typed.graph.input.append(helper.make_tensor_value_info(name, element_code(stored.dtype), stored.shape))
    found = next(find_limits(typed, profile, tensors), None)
    if found is not None:
        stage = _find_stage(found, stages)
        what = f"`{found.op_type}`" if stage is None else f"`{stage.op.name}`"
        advice = f"write it otherwise, or choose another runtime: in the graph, it is `{found.op_type}`"
        raise _make_error(stage, what, profile, found.reason, advice)


def _make_error(stage: OpNode | None, what: str, profile: RuntimeProfile, reason: str, advice: str) -> UnsupportedByTarget:
    return UnsupportedByTarget(RuntimeUnsupported(what, profile.title, reason, advice), None if stage is None else stage.span)


def _find_stage(found: FoundLimit, stages: Mapping[str, OpNode]) -> OpNode | None:
    """Return the stage that a node belongs to. Within a definition, it is the stage around it: `cross_entropy1` for
    `cross_entropy1.nll_loss1/Cast`."""
    path = found.name
    while path and path not in stages:
        path = path[: max(path.rfind("/"), path.rfind("."), 0)]
    return stages.get(path)
