"""Choose the task of a model in transformers, from its inputs, its outputs and its attention.

>>> import netc
>>> text = 'use "std/attention.net": projected_attention; tokens = input [T] int64; tokens -> embedding 9 8'
>>> choose_task(netc.compile(f"{text} -> projected_attention 2 causal=true -> dense 9").program).name
'causal-lm'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.backends.backend import WrongOutput
from netc.compiler.backends.torch.pretrained.model_templates import CAUSAL_LM, IMAGE_CLASSIFICATION, MASKED_LM, PretrainedTask
from netc.compiler.ir.graph import OpNode
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.ops.attention import Attention
from netc.compiler.types.tensor_types import INT64

from ..inputs.argument_checks import TRANSFORMERS_TASKS

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

TASKS = dict(zip(TRANSFORMERS_TASKS, (CAUSAL_LM, MASKED_LM, IMAGE_CLASSIFICATION), strict=True))


class UnknownTask(WrongOutput):
    """The model has no task that transformers has, and why."""


def choose_task(program: Program, wish: str | None = None) -> PretrainedTask:
    """Return the task. `wish` is the name of one, if the caller knows it. Raises `UnknownTask`."""
    if wish is not None and wish not in TASKS:
        raise UnknownTask(f"the task must be one of {', '.join(TASKS)}, not {wish!r}")
    inputs, outputs = program.main.inputs, program.main.outputs
    first, scores = inputs[0].type, [v.type for v in outputs]
    if len(scores) != 1 or not scores[0].dtype.is_float or not isinstance(scores[0].shape[-1], int):
        raise UnknownTask("a model for transformers has one output, the scores: [N, T, vocabulary] or [N, classes]")
    if first.dtype.is_float and first.rank == 4 and scores[0].rank == 2 and len(inputs) == 1:
        return _confirm_task(IMAGE_CLASSIFICATION, wish)
    if first.dtype != INT64 or first.rank != 2 or scores[0].rank != 3:
        takes = "tokens (int64 [N, T]) and gives scores [N, T, vocabulary], or takes images [N, C, H, W] and gives scores [N, classes]"
        raise UnknownTask(f"a model for transformers takes {takes}")
    if wish is not None and TASKS[wish].takes_tokens:
        return TASKS[wish]  # which of the two is decided by the attention, so a refusal names the attention
    nodes = (node for graph in collect_graphs(program.main) for node in graph.nodes)
    attentions = [node.op for node in nodes if isinstance(node, OpNode) and isinstance(node.op, Attention)]
    return _confirm_task(CAUSAL_LM if all(op.causal for op in attentions) else MASKED_LM, wish)


def _confirm_task(task: PretrainedTask, wish: str | None) -> PretrainedTask:
    if wish not in (None, task.name):
        raise UnknownTask(f"the model takes and gives what {task.name} does, not {wish}")
    return task
