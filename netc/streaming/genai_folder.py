"""Decoders for onnxruntime-genai: a stream under the names that it looks for, and its configuration.

In: a checked program, the dimension of its tokens, weights. Out: a folder with `model.onnx`, large parameters next to it, and
`genai_config.json`. Always: the step is that of a stream, with a mask, so that prompts of different lengths are one batch, padded on the
right, which is what onnxruntime-genai pads; what it has no place for is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import WrongOutput
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.dims import Condition, condition_holds, free_symbols
from netc.compiler.ir.graph import has_operator
from netc.compiler.ops.attention import Attention
from netc.compiler.streaming import Refused, State, Stream, derive
from netc.dsl.record import Record

from ..errors import CompileError
from ..files.atomic_writing import write_bytes
from ..files.file_problems import diagnostic
from ..files.save_artifacts import save
from ..inputs.argument_checks import RUNTIMES
from ..inputs.backend_input import part_of, reported

if TYPE_CHECKING:
    from netc.compiler.backends.backend import BackendInput
    from netc.compiler.ir.graph import Program

(RUNTIME,) = RUNTIMES
MODEL, CONFIG = "model.onnx", "genai_config.json"
TOKENS, MASK, LOGITS = "input_ids", "attention_mask", "logits"
PAST, PRESENT = "past_key_values", "present"
_SPECIAL = ("bos_token_id", "eos_token_id", "pad_token_id")
_LARGEST_CONFIG = 1 << 20
UNBOUNDED = 131_072
"""The longest text of a model that has no condition on its length."""


Tokens = int | list[int]


class NoDecoder(WrongOutput):
    """A model that onnxruntime-genai cannot run, and why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"{RUNTIME} cannot run this model: {why}")


class Layers(Record):
    """What the configuration says of attention: `heads` and `shared` are those of queries and of keys, `size` the features of one."""

    count: int
    shared: int
    size: int
    heads: int


class Decoder:
    """A stream of tokens to scores, named for onnxruntime-genai. Raises `NoDecoder`, and `CompileError` for what is no stream."""

    def __init__(self, program: Program, dimension: str) -> None:
        try:
            self.stream = derive(program, dimension, MASK)
        except Refused as refused:
            raise CompileError((diagnostic(refused.problem, refused.span),)) from None
        self.layers = _layers(self.stream)
        self.vocabulary = _vocabulary(self.stream, dimension)
        self.context = _context(program, dimension)
        _rename(self.stream)

    def known(self, special: Mapping[str, Tokens]) -> dict[str, Tokens]:
        """Those tokens with a meaning that the vocabulary has; the runtime loads no others."""
        return {name: found for name, found in special.items() if max([found] if isinstance(found, int) else found) < self.vocabulary}

    def config(self, special: Mapping[str, Tokens]) -> dict[str, Any]:
        """The content of genai_config.json. `special` are tokens with a meaning. The runtime wants one that ends a text: 0, unless it is
        known."""
        layers = self.layers
        decoder = {
            "filename": MODEL,
            "head_size": layers.size,
            "hidden_size": layers.heads * layers.size,
            "num_attention_heads": layers.heads,
            "num_hidden_layers": layers.count,
            "num_key_value_heads": layers.shared,
            "inputs": {
                "input_ids": TOKENS,
                "attention_mask": MASK,
                "past_key_names": f"{PAST}.%d.key",
                "past_value_names": f"{PAST}.%d.value",
            },
            "outputs": {"logits": LOGITS, "present_key_names": f"{PRESENT}.%d.key", "present_value_names": f"{PRESENT}.%d.value"},
        }
        model = {"type": "decoder", "context_length": self.context, "vocab_size": self.vocabulary, "eos_token_id": 0}
        model |= {**self.known(special), "decoder": decoder}
        return {"model": model, "search": {"do_sample": False, "max_length": self.context, "past_present_share_buffer": False}}


def save_decoder(given: BackendInput, dimension: str, folder: str, special: Mapping[str, Tokens]) -> tuple[str, ...]:
    """Writes the folder of a whole model. The configuration comes last, so that a folder that has one is whole.
    Returns what users should know of it: texts without a full stop."""
    decoder = Decoder(given.program, dimension)
    if os.path.exists(folder) and not os.path.isdir(folder):
        raise NotADirectoryError(20, "it is a file, and a folder is needed", folder)
    new = not os.path.exists(folder)
    with reported(given) as whole:
        if new:
            os.mkdir(folder)
        try:
            save(_of_step(decoder.stream, whole), get_or_raise("onnx"), os.path.join(folder, MODEL))
            write_bytes(os.path.join(folder, CONFIG), (json.dumps(decoder.config(special), indent=2) + "\n").encode())
        except BaseException:
            if new:
                with suppress(OSError):
                    os.rmdir(folder)
            raise
    unknown = f"{CONFIG} ends a text at the token 0: `eos_token_id` is not known without config.json"
    ends = () if "eos_token_id" in decoder.known(special) else (unknown,)
    files = "tokenizer.json and tokenizer_config.json"
    return (*ends, f"a tokenizer is not part of it: copy {files} of the checkpoint to `{folder}`")


def special_tokens(paths: Iterable[str]) -> dict[str, Tokens]:
    """What the configurations next to weights, as transformers writes them, say of the tokens that begin, end and pad a text."""
    found: dict[str, Tokens] = {}
    for path in paths:
        folder = path if os.path.isdir(path) else os.path.dirname(path)
        for name in ("config.json", "generation_config.json"):  # what the second says comes first in transformers
            content = _object(os.path.join(folder, name))
            found |= {key: content[key] for key in _SPECIAL if _are_tokens(content.get(key))}
    return found


def _object(path: str) -> dict[str, Any]:
    """A small JSON file; empty if there is none, or it is something else."""
    try:
        if not os.path.isfile(path) or os.path.getsize(path) > _LARGEST_CONFIG:
            return {}
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _are_tokens(value: object) -> bool:
    each = value if isinstance(value, list) and value else [value]
    return all(type(one) is int and 0 <= one < 2**31 for one in each)


def _of_step(stream: Stream, whole: BackendInput) -> BackendInput:
    return part_of(stream.step, whole, {name: stream.moved.get(name, name) for name in collect_parameters(stream.step)})


def _layers(stream: Stream) -> Layers:
    """Checks that what is remembered is keys and values, of one shape in all layers."""
    if stream.start is not None or stream.fixed:
        raise NoDecoder(f"it has inputs without the dimension `{stream.dimension}`, or computes something of the parameters once")
    keys, values = stream.states[::2], stream.states[1::2]
    if not keys or [s.what for s in stream.states] != ["key", "value"] * len(keys):
        raise NoDecoder("it has no causal attention")
    shapes = {_sizes(state) for state in (*keys, *values)}
    if len(shapes) > 1:
        raise NoDecoder("the keys and values of its layers have different shapes")
    shared, size = shapes.pop()
    return Layers(len(keys), shared, size, _heads(stream))


def _sizes(state: State) -> tuple[int, int]:
    _, shared, _, size = state.type.shape
    if not isinstance(shared, int) or not isinstance(size, int):
        raise NoDecoder("the number of heads, or of their features, is not fixed")
    return shared, size


def _heads(stream: Stream) -> int:
    """Of the queries of the first layer."""
    nodes = (node for node in stream.step.main.nodes if has_operator(node, Attention))
    heads = next(nodes).inputs[0].type.shape[1]
    if not isinstance(heads, int):
        raise NoDecoder("the number of heads is not fixed")
    return heads


def _vocabulary(stream: Stream, dimension: str) -> int:
    """Checks the tokens and the scores."""
    main = stream.step.main
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


def _context(program: Program, dimension: str) -> int:
    """The longest text that the conditions of the spec allow."""
    limits = [UNBOUNDED]
    for condition, _ in program.conditions:
        if isinstance(condition, Condition) and free_symbols(condition.left) | free_symbols(condition.right) == {dimension}:
            limits.append(_longest(condition, dimension))
    return min(limits)


def _longest(condition: Condition, dimension: str) -> int:
    """The greatest length that a condition allows, found by halves."""

    def holds(size: int) -> bool:
        return condition_holds(condition, {dimension: size})

    if condition.op in ("==", "!=") or holds(UNBOUNDED):
        return UNBOUNDED
    low, high = 1, UNBOUNDED
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _rename(stream: Stream) -> None:
    """Gives the inputs and outputs of the step the names of the runtime."""
    main, count = stream.step.main, len(stream.states) // 2
    pairs = [f"{number}.{what}" for number in range(count) for what in ("key", "value")]
    for value, name in zip(main.inputs, [TOKENS, MASK, *(f"{PAST}.{pair}" for pair in pairs)], strict=True):
        value.name = name
    main.output_names = [LOGITS, *(f"{PRESENT}.{pair}" for pair in pairs)]
