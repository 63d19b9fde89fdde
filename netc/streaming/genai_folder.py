"""Write decoders for onnxruntime-genai: the step of a stream under the names that it expects, and its configuration.

In: a checked program, the dimension of its tokens, and weights. Out: a folder with `model.onnx`, large parameters next to it, and
`genai_config.json`. Always: the step has a mask, so that a batch may have prompts of different lengths, padded on the right as
onnxruntime-genai does. A model that the configuration cannot describe raises `NoDecoder`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import WrongOutput
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.ir.graph import has_operator
from netc.compiler.ops.attention import Attention
from netc.compiler.streaming import State, Stream, StreamRefused, derive_stream
from netc.dsl.record import Record

from ..errors import CompileError
from ..files.atomic_writing import write_bytes
from ..files.file_problems import make_diagnostic
from ..files.save_artifacts import save_artifact
from ..inputs.argument_checks import RUNTIMES
from ..inputs.backend_input import make_part_input, warn_about_weights
from .context_length import find_context_length
from .special_tokens import Tokens

if TYPE_CHECKING:
    from netc.compiler.backends.backend import BackendInput
    from netc.compiler.ir.graph import Program

(RUNTIME,) = RUNTIMES
MODEL, CONFIG = "model.onnx", "genai_config.json"
TOKENS, MASK, LOGITS = "input_ids", "attention_mask", "logits"
PAST, PRESENT = "past_key_values", "present"


class NoDecoder(WrongOutput):
    """onnxruntime-genai cannot run the model, and why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{RUNTIME} cannot run this model: {why}")


class AttentionSizes(Record):
    """What the configuration says of attention: `heads` counts the heads of queries, `key_value_heads` the heads of keys, `head_size`
    the features of one."""

    count: int
    key_value_heads: int
    head_size: int
    heads: int


class Decoder:
    """A stream of tokens to scores, named for onnxruntime-genai. Raises `NoDecoder`, and `CompileError` for a model without a stream."""

    def __init__(self, program: Program, dimension: str) -> None:
        try:
            self.stream = derive_stream(program, dimension, MASK)
        except StreamRefused as refused:
            raise CompileError((make_diagnostic(refused.problem, refused.span),)) from None
        self.layers = _check_layers(self.stream)
        self.vocabulary = _check_vocabulary(self.stream, dimension)
        self.context = find_context_length(program, dimension)
        _rename_values(self.stream)

    def select_known_tokens(self, special: Mapping[str, Tokens]) -> dict[str, Tokens]:
        """Select the special tokens that are in the vocabulary. The runtime refuses to load others."""
        return {name: tokens for name, tokens in special.items() if max([tokens] if isinstance(tokens, int) else tokens) < self.vocabulary}

    def make_config(self, special: Mapping[str, Tokens]) -> dict[str, Any]:
        """The content of genai_config.json. `special` are tokens with a meaning. The runtime wants one that ends a text: 0, unless it is
        known."""
        layers = self.layers
        decoder = {
            "filename": MODEL,
            "head_size": layers.head_size,
            "hidden_size": layers.heads * layers.head_size,
            "num_attention_heads": layers.heads,
            "num_hidden_layers": layers.count,
            "num_key_value_heads": layers.key_value_heads,
            "inputs": {
                "input_ids": TOKENS,
                "attention_mask": MASK,
                "past_key_names": f"{PAST}.%d.key",
                "past_value_names": f"{PAST}.%d.value",
            },
            "outputs": {"logits": LOGITS, "present_key_names": f"{PRESENT}.%d.key", "present_value_names": f"{PRESENT}.%d.value"},
        }
        model = {"type": "decoder", "context_length": self.context, "vocab_size": self.vocabulary, "eos_token_id": 0}
        model |= {**self.select_known_tokens(special), "decoder": decoder}
        return {"model": model, "search": {"do_sample": False, "max_length": self.context, "past_present_share_buffer": False}}


def save_decoder(given: BackendInput, dimension: str, folder: str, special: Mapping[str, Tokens]) -> tuple[str, ...]:
    """Write the folder of a model. Return notes for users: texts without a full stop."""
    # The configuration is written last, so that a folder with a configuration is complete.
    decoder = Decoder(given.program, dimension)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(20, "it is a file, and a folder is needed", folder)
    is_new = not os.path.exists(folder)
    with warn_about_weights(given) as full_input:
        if is_new:
            os.mkdir(folder)
        try:
            save_artifact(_make_step_input(decoder.stream, full_input), get_or_raise("onnx"), os.path.join(folder, MODEL))
            write_bytes(os.path.join(folder, CONFIG), (json.dumps(decoder.make_config(special), indent=2) + "\n").encode())
        except BaseException:  # also Ctrl-C: an empty folder would look like a result
            if is_new:
                with suppress(OSError):
                    os.rmdir(folder)
            raise
    unknown = f"{CONFIG} ends a text at the token 0: `eos_token_id` is not known without config.json"
    ends = () if "eos_token_id" in decoder.select_known_tokens(special) else (unknown,)
    files = "tokenizer.json and tokenizer_config.json"
    return (*ends, f"a tokenizer is not part of it: copy {files} of the checkpoint to `{folder}`")


def _make_step_input(stream: Stream, full_input: BackendInput) -> BackendInput:
    return make_part_input(stream.step, full_input, {name: stream.moved.get(name, name) for name in collect_parameters(stream.step)})


def _check_layers(stream: Stream) -> AttentionSizes:
    """Check that the states are keys and values with the same shape in all layers."""
    if stream.start is not None or stream.fixed:
        raise NoDecoder(f"it has inputs without the dimension `{stream.dimension}`, or computes something of the parameters once")
    # Each attention layer has two states, its keys and then its values, in the order of the layers.
    keys, values = stream.states[::2], stream.states[1::2]
    if not keys or [s.what for s in stream.states] != ["key", "value"] * len(keys):
        raise NoDecoder("it has no causal attention")
    shapes = {_read_state_shape(state) for state in (*keys, *values)}
    if len(shapes) > 1:
        raise NoDecoder("the keys and values of its layers have different shapes")
    key_value_heads, size = shapes.pop()
    return AttentionSizes(len(keys), key_value_heads, size, _count_heads(stream))


def _read_state_shape(state: State) -> tuple[int, int]:
    _, heads, _, size = state.type.shape
    if not isinstance(heads, int) or not isinstance(size, int):
        raise NoDecoder("the number of heads, or of their features, is not fixed")
    return heads, size


def _count_heads(stream: Stream) -> int:
    """Count the heads of queries in the first layer."""
    nodes = (node for node in stream.step.main.nodes if has_operator(node, Attention))
    heads = next(nodes).inputs[0].type.shape[1]
    if not isinstance(heads, int):
        raise NoDecoder("the number of heads is not fixed")
    return heads


def _check_vocabulary(stream: Stream, dimension: str) -> int:
    """Check the types of the tokens and the scores, and return the size of the vocabulary."""
    main = stream.step.main
    # The inputs of a step are the model's own, then the mask, then the states.
    tokens = main.inputs[: len(main.inputs) - len(stream.states) - 1]
    if len(tokens) != 1 or tokens[0].type.rank != 2 or tokens[0].type.dtype.name not in ("int64", "int32"):
        raise NoDecoder(f"its input must be the tokens alone, int64 [N, {dimension}]")
    scores = main.outputs[: len(main.outputs) - len(stream.states)]
    if len(scores) != 1 or scores[0].type.rank != 3 or scores[0].type.dtype.name not in ("float32", "float16"):
        raise NoDecoder(f"its output must be the scores alone, float32 or float16 [N, {dimension}, vocabulary]")
    size = scores[0].type.shape[-1]
    if not isinstance(size, int):
        raise NoDecoder("the size of its vocabulary is not fixed")
    return size


def _rename_values(stream: Stream) -> None:
    """Rename the inputs and outputs of the step as the runtime expects."""
    main, count = stream.step.main, len(stream.states) // 2
    pairs = [f"{number}.{what}" for number in range(count) for what in ("key", "value")]
    for value, name in zip(main.inputs, [TOKENS, MASK, *(f"{PAST}.{pair}" for pair in pairs)], strict=True):
        value.name = name
    main.output_names = [LOGITS, *(f"{PRESENT}.{pair}" for pair in pairs)]
