"""Choose the task of a model in transformers, from its inputs, its outputs and its attention.

>>> import netc
>>> text = 'use "std/attention.net": projected_attention; tokens = input [T] int64; tokens -> embedding 9 8'
>>> choose_task(netc.compile(f"{text} -> projected_attention 2 causal=true -> dense 9").program).name
'causal-lm'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.backends.backend import WrongOutput
from netc.compiler.backends.torch.pretrained.model_templates import CAUSAL_LM, MASKED_LM, PretrainedTask
from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.ops.attention import Attention
from netc.compiler.types.tensor_types import INT64

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

TASKS = {task.name: task for task in (CAUSAL_LM, MASKED_LM)}


class UnknownTask(WrongOutput):
    """The model has no task that transformers has, and why."""


def choose_task(program: Program, wish: str | None = None) -> PretrainedTask:
    """Return the task. `wish` is the name of one, if the caller knows it. Raises `UnknownTask`."""
    if wish is not None and wish not in TASKS:
        raise UnknownTask(f"the task must be one of {', '.join(TASKS)}, not {wish!r}")
    inputs, outputs = program.main.inputs, program.main.outputs
    tokens = [v for v in inputs if v.type.dtype == INT64]
    if not tokens or inputs[0] is not tokens[0] or tokens[0].type.rank != 2:
        raise UnknownTask("its first input must be tokens, int64 [N, T]")
    if len(outputs) != 1 or outputs[0].type.rank != 3 or not isinstance(outputs[0].type.shape[-1], int):
        raise UnknownTask("its only output must be the scores of each token, [N, T, vocabulary]")
    if wish is not None:
        return TASKS[wish]
    nodes = (node for graph in collect_graphs(program.main) for node in graph.nodes)
    attentions = [node.op for node in nodes if isinstance(node, OpNode) and isinstance(node.op, Attention)]
    return CAUSAL_LM if all(op.causal for op in attentions) else MASKED_LM
