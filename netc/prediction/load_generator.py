"""Load a generator of text, from a run or from a model with weights.

In: a run that is loaded, or a model; the path of a tokenizer, if the run has none. Out: a `TextGenerator`. Always: tokens are bytes only
where the model has 256 of them, or where the caller says so; otherwise a tokenizer must be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tokenizing.text_tokenizer import BYTE_COUNT, BYTES, Tokenizer, TokenizerError, read_tokenizer
from .decoder_steps import ONNX_RUNTIME, NoGenerator, find_decoder_ports, load_decoder
from .folder_tokenizer import find_folder_tokenizer
from .text_generator import TextGenerator

if TYPE_CHECKING:
    from ..inputs.backend_input import Weights
    from ..model import Model
    from .load_run import LoadedRun

BYTES_WORD = "bytes"
"""In place of the path of a tokenizer: the tokens are bytes."""


def make_run_generator(run: LoadedRun, tokenizer: str | None = None, runtime: str = ONNX_RUNTIME, device: str = "cpu") -> TextGenerator:
    """Load the generator of a run. Raises `NoGenerator` and `CompileError`."""
    if run.tokenizer is not None and tokenizer is not None:
        raise NoGenerator("the run has the tokenizer that it was trained with", "leave out `--tokenizer`")
    model = run.model
    try:
        find_decoder_ports(model)
    except NoGenerator:
        # The sizes of the training, such as `--dim T=64`, are the sizes of its samples.
        model = run.free_model()
    return make_generator(model, run.weights, None, run.tokenizer or tokenizer, runtime, device)


def make_generator(
    model: Model,
    weights: Weights | None,
    seed: int | None,
    tokenizer: Tokenizer | str | None = None,
    runtime: str = ONNX_RUNTIME,
    device: str = "cpu",
) -> TextGenerator:
    """Load the generator of a model. Raises `NoGenerator` and `CompileError`."""
    chosen = _choose_tokenizer(tokenizer or find_folder_tokenizer(weights), find_decoder_ports(model).vocabulary)
    return TextGenerator(load_decoder(model, weights, seed, runtime, device), chosen)


def _choose_tokenizer(tokenizer: Tokenizer | str | None, vocabulary: int) -> Tokenizer:
    if tokenizer is None and vocabulary != BYTE_COUNT:
        remedy = "pass it: `--tokenizer tokenizer.json`, or `--tokenizer bytes` if the tokens are bytes"
        raise NoGenerator(f"the tokenizer is not known, and {vocabulary} tokens are not the {BYTE_COUNT} bytes", remedy)
    if tokenizer is None or tokenizer == BYTES_WORD:
        return BYTES
    if not isinstance(tokenizer, str):
        return tokenizer
    try:
        return read_tokenizer(tokenizer)
    except TokenizerError as error:
        raise NoGenerator(f"cannot read `{tokenizer}`: {error}", error.remedy) from None
