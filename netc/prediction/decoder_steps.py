"""Run a decoder token by token: by its stream, or on the complete text where there is no stream.

In: a model whose input is tokens `[N, T]` and one of whose outputs is scores `[N, T, vocabulary]`. Out: a `Decoder`. Always: the scores are
the ones of the complete model. A model that looks ahead is a `CompileError` at the operator: it cannot predict a token from earlier ones.

    >>> import netc
    >>> model = netc.compile("tokens = input [T] int64 where T <= 16; tokens -> embedding 10 4 -> dense 10")
    >>> find_decoder_ports(model)
    DecoderPorts(input='tokens', output='output', dimension='T', vocabulary=10, context=16)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from netc.compiler.dims import SymDim
from netc.compiler.errors.stream_errors import LooksAhead
from netc.compiler.types.numpy_types import numpy_dtype
from netc.dsl.record import Record

from ..errors import CompileError
from ..streaming.context_length import find_context_length
from .token_sampling import Scores

if TYPE_CHECKING:
    from ..inputs.backend_input import Weights
    from ..model import Model

ONNX_RUNTIME, PYTORCH = "onnxruntime", "pytorch"
RUNTIMES = (ONNX_RUNTIME, PYTORCH)
"""The libraries that can run a decoder, the default first."""


class NoGenerator(ValueError):
    """A model that generates no text. `remedy` says what to change."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


class DecoderPorts(Record):
    """The input of tokens and the output of scores. `dimension` is the length of the text, and `context` the longest one."""

    input: str
    output: str
    dimension: str
    vocabulary: int
    context: int


class TextState(Protocol):
    """One text."""

    def read(self, tokens: Sequence[int]) -> Scores:
        """Add tokens, at least one. Return the scores `[vocabulary]` of the token that follows."""
        ...


class Decoder(Record):
    """A decoder that is loaded. `begin` makes an empty text; `note` says why a token takes longer than it should, if it does."""

    ports: DecoderPorts
    begin: Callable[[], TextState]
    note: str = ""


def find_decoder_ports(model: Model) -> DecoderPorts:
    """Find the tokens and the scores of a model. Raises `NoGenerator`."""
    if len(model.inputs) != 1:
        names = ", ".join(f"`{name}`" for name in model.inputs)
        raise NoGenerator(f"a model that generates text has one input, its tokens, and this one has {names or 'none'}")
    ((name, type_),) = model.inputs.items()
    if not type_.dtype.is_integer or type_.rank != 2:
        raise NoGenerator(f"the input `{name}` is {type_}, and tokens are integers `[N, T]`", "declare `tokens = input [T] int64`")
    batch, length = type_.shape
    dimension = next((symbol for symbol, dim in model.program.dims.items() if dim == length and isinstance(dim, SymDim)), None)
    if dimension is None:
        remedy = (
            f"declare a size that may grow, `{name} = input [T] int64`, and say the length of a sample with the data: `length={length}`"
        )
        raise NoGenerator(f"the input `{name}` is {type_}, whose length cannot grow by one token", remedy)
    scores = {
        output: result.shape[2]
        for output, result in model.outputs.items()
        if result.dtype.is_float and result.rank == 3 and result.shape[:2] == (batch, length) and isinstance(result.shape[2], int)
    }
    if len(scores) != 1:
        listed = ", ".join(f"`{output}` {result}" for output, result in model.outputs.items())
        raise NoGenerator(f"one output must be scores of shape [N, {length}, vocabulary]; the outputs are {listed}")
    ((output, vocabulary),) = scores.items()
    return DecoderPorts(name, output, dimension, int(vocabulary), find_context_length(model.program, dimension))


def load_decoder(model: Model, weights: Weights | None, seed: int | None, runtime: str = ONNX_RUNTIME, device: str = "cpu") -> Decoder:
    """Load the stream of a model, or the model if it has no stream. Raises `NoGenerator` and `CompileError`."""
    if runtime == PYTORCH and device != "cpu":
        raise NoGenerator(f"PyTorch generates on the CPU alone, and {device} is asked for", "leave out `--runtime pytorch`")
    ports = find_decoder_ports(model)
    convert = _make_converter(model, ports, runtime)
    try:
        stream = model.stream(ports.dimension)
    except CompileError as error:
        (problem, *_) = error.diagnostics
        # without a stream, a model that looks ahead predicts nothing; any other can still compute the complete text for each token
        if problem.code == LooksAhead.code:
            raise
        names = list(model.outputs)
        if runtime == PYTORCH:
            run: Any = partial(_run_module, model.module(weights, seed).eval(), names)
        else:
            run = model.session(weights, seed, device)
        note = f"the model has no stream, so each token computes the complete text again: {problem.message}"
        return Decoder(ports, lambda: _CompleteText(ports, run, convert), note)
    if stream.stream.rate > 1:
        raise NoGenerator(f"the model takes {stream.stream.rate} positions at once, and a text grows by one token")
    steps = stream.module(weights, seed) if runtime == PYTORCH else stream.session(weights, seed, device)
    return Decoder(ports, lambda: _StreamedText(ports, steps, convert))


class _StreamedText:
    def __init__(self, ports: DecoderPorts, steps: Any, convert: Callable[[Sequence[int]], Any]) -> None:
        self._ports, self._steps, self._convert = ports, steps, convert
        self._state = steps.begin()

    def read(self, tokens: Sequence[int]) -> Scores:
        results, self._state = self._steps(self._state, **{self._ports.input: self._convert(tokens)})
        return _read_last(results[self._ports.output])


class _CompleteText:
    def __init__(self, ports: DecoderPorts, run: Any, convert: Callable[[Sequence[int]], Any]) -> None:
        self._ports, self._run, self._convert = ports, run, convert
        self._tokens: list[int] = []

    def read(self, tokens: Sequence[int]) -> Scores:
        self._tokens += tokens
        results = self._run(self._convert(self._tokens))
        # a model with one output returns it alone, without its name
        return _read_last(results if not isinstance(results, dict) else results[self._ports.output])


def _run_module(module: Any, names: Sequence[str], tokens: Any) -> Any:
    import torch

    with torch.no_grad():
        results = module(tokens)
    return dict(zip(names, results, strict=True)) if isinstance(results, tuple) else results


def _read_last(scores: Any) -> Scores:
    """Return the scores of the last position, in a type that NumPy computes with."""
    if hasattr(scores, "detach"):
        scores = scores.detach().float() if scores.element_size() < 4 else scores.detach()
        return np.asarray(scores[0, -1].cpu().numpy())
    last = scores[0, -1]
    return np.asarray(last if last.dtype.itemsize > 2 else last.astype(np.float32))


def _make_converter(model: Model, ports: DecoderPorts, runtime: str) -> Callable[[Sequence[int]], Any]:
    """Return a function that turns tokens into the input of the runtime."""
    dtype = numpy_dtype(model.inputs[ports.input].dtype)
    if runtime != PYTORCH:
        return lambda tokens: np.array([tokens], dtype)
    import torch

    return lambda tokens: torch.from_numpy(np.array([tokens], dtype))
