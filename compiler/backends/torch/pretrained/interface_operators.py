"""Operators that exist only in folders for transformers, and how PyTorch source writes them.

In: `InterfaceAttention`, an attention that takes its mask and its cache from keyword arguments; `TokenEmbedding`, an embedding whose rows
the caller may have looked up already; `PositionRows`, the rows of a learned table at given positions. Out: code, and the framework with
the definitions that the code needs. Always: no spec can use these operators; rewrite_program.py makes them.
"""

from __future__ import annotations

from pathlib import Path

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward

from ....ops.dense import Embedding
from ....ops.element_types import FLOATS, INTEGERS
from ....ops.kinds import COUNT, FLAG, FRACTION, NUMBER
from ....ops.operand import Input
from ....ops.operator import Arg
from ....ops.rearrange import Rearrange
from ...python.code.python_expressions import (
    Code,
    Default,
    Lit,
    Method,
    SelfMember,
    Subscript,
    TupleCode,
    call_function,
    construct_module,
)
from ...python.emitters import Emitters
from ...python.library_text import read_definitions
from ...python.lowering.lowered_operators import LoweredOperator
from ..ops.parameters import to_float
from ..ops.torch_layers import construct_layer
from ..torch_emitters import EMITTERS, TorchSite
from ..torch_framework import DEFINITIONS, TORCH
from ..torch_initializers import make_initialization

KEYWORDS = "kwargs"
"""The arguments that every module around an attention passes on to it: the mask, the cache, and options of the implementation."""
_NAMES = """
    Cache DynamicCache GenerationMixin PreTrainedModel PreTrainedConfig GradientCheckpointingLayer Unpack TransformersKwargs
    ALL_ATTENTION_FUNCTIONS ImageClassifierOutput BaseModelOutput BaseModelOutputWithPast CausalLMOutputWithPast MaskedLMOutput
    create_causal_mask create_bidirectional_mask create_sliding_window_causal_mask capture_outputs merge_with_config_defaults
    can_return_tuple deprecate_kwarg slice_logits_to_keep config
    input_ids attention_mask cache use_cache labels logits_to_keep outputs
"""
"""The names that a modeling file imports or uses, in addition to PyTorch's: a tensor of the spec gets another one."""


class InterfaceAttention(LoweredOperator):
    """Attention by `ALL_ATTENTION_FUNCTIONS`. `groups` is the number of heads of queries that share a head of keys."""

    name = "attention"
    q = Input(FLOATS)
    k = Input(FLOATS)
    v = Input(FLOATS)
    keywords = Input()
    groups = Arg(COUNT)
    causal = Arg(FLAG)
    scale = Arg(NUMBER, default=None)
    dropout = Arg(FRACTION, default=0.0)
    window = Arg(COUNT, default=None)


class TokenEmbedding(Embedding):
    """An embedding whose result is its input: the rows of the tokens, which the model has looked up or was given."""


class PositionRows(LoweredOperator):
    """The rows of a learned table at the positions."""

    name = "embedding"
    table = Input(FLOATS)
    positions = Input(INTEGERS)


def _copy_emitters() -> Emitters:
    """Copy PyTorch's tables, so that they can be extended for this form alone."""
    copied = Emitters(make_initialization, EMITTERS.decorator)
    for table in ("modules", "invocations", "functions", "given", "members", "names", "imports"):
        setattr(copied, table, dict(getattr(EMITTERS, table)))
    return copied


PRETRAINED = _copy_emitters()
FRAMEWORK = replace(
    TORCH,
    imported=TORCH.imported | frozenset(_NAMES.split()),
    definitions={**DEFINITIONS, **read_definitions(Path(__file__).with_name("pretrained_library.py"))},
    keywords={KEYWORDS: "Unpack[TransformersKwargs]"},
    initializer="reset_parameters",
)


@PRETRAINED.module(InterfaceAttention)
def emit_attention_module(op: InterfaceAttention, site: TorchSite) -> Code:
    return construct_module(
        "AttentionFunction",
        {},
        groups=Default(op.groups, 1),
        is_causal=Default(op.causal, True),
        scaling=Default(op.scale, None),
        dropout=Default(to_float(op.dropout), 0.0),
        window=Default(op.window, None),
    )


@PRETRAINED.invocation(InterfaceAttention)
def emit_attention_call(op: InterfaceAttention, site: TorchSite) -> Code:
    return Subscript(call_function(SelfMember(), site.q, site.k, site.v, site.keywords), (Lit(0),))


@PRETRAINED.module(TokenEmbedding)
def emit_token_embedding(op: TokenEmbedding, site: TorchSite) -> Code:
    return construct_layer("nn.Embedding", op, site)


@PRETRAINED.invocation(TokenEmbedding)
def emit_embedding_call(op: TokenEmbedding, site: TorchSite) -> Code:
    return site.indices


@PRETRAINED.function(PositionRows)
def emit_position_rows(op: PositionRows, site: TorchSite) -> Code:
    return call_function("F.embedding", site.positions, site.table)


@PRETRAINED.function(Rearrange)
def emit_heads(op: Rearrange, site: TorchSite) -> Code:
    """Write `unflatten(-1, (-1, size))`: with tensor parallelism, each device has some of the heads."""

    def open_first(part: Code) -> Code | None:
        match part:
            case Method(target, "unflatten", (axis, TupleCode((_, size)))):
                return Method(rewrite_downward(target, open_first), "unflatten", (axis, TupleCode((Lit(-1), size))))
        return None

    return rewrite_downward(EMITTERS.functions[Rearrange](op, site), open_first)
