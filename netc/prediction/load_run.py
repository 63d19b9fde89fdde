"""Load the content of a run's folder: its model, weights, signature and tokenizer.

In: the folder of a run. Out: a `LoadedRun`. Always: the model is compiled from the text in `config.json`, with the weights that have the
best metric. What cannot be loaded is a `RunError`, or a `CompileError` if a file that the spec uses has changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from shlex import quote
from typing import TYPE_CHECKING, Any

from netc.compiler.errors.run_errors import NAME_THE_RUN, RunDiffers, RunError, RunUnreadable
from netc.dsl.record import Record, replace

from ..analysis import Choice, analyze, analyze_training
from ..api import make_model
from ..errors import CompileError
from ..files.spec_hash import hash_spec
from ..training.configuration import arguments_from_json
from ..training.run_files import BEST, CONFIG, LAST, LOAD, find_weights
from ..training.run_folder import RunFolder
from .model_signature import ModelSignature, SignatureDamaged, signature_from_json
from .run_tokenizer import read_run_tokenizer

if TYPE_CHECKING:
    from ..model import Model
    from ..tokenizing.text_tokenizer import FileTokenizer


class LoadedRun(Record):
    """A run: its model with the dimensions that it was trained with, the signature, the weights file and the tokenizer. `free_model`
    compiles the model with no fixed dimension of that size, because a text may be longer than a sample."""

    model: Model
    signature: ModelSignature
    weights: str
    tokenizer: FileTokenizer | None
    free_model: Callable[[], Model]


def load_run(path: str, action: str = LOAD) -> LoadedRun:
    """Load a run, and compile its model. Raises `RunError` and `CompileError`."""
    if os.path.isfile(path):
        raise RunError(RunUnreadable(path, "it is neither a run nor an ONNX file", NAME_THE_RUN, action))
    config = RunFolder(path).read_config(action)
    # any data but None, which would look up the recorded data: a table that was passed in Python cannot be found again
    arguments = arguments_from_json(config, path, {}, data="", validation=0.0)
    analysis = analyze_training(arguments.source, arguments.choice, arguments.path, arguments.section)
    if analysis.training is None:
        raise CompileError(analysis.diagnostics)
    if config.get("hash") != hash_spec(analysis, arguments.choice):
        raise RunError(RunDiffers(path, "a file that its spec uses is not what it was", "restore the file, or train again", action))
    weights = find_weights(path)
    # `find_weights` returns a folder without weights as it is
    if weights == path:
        remedy = f"wait for its first checkpoint, or continue it: `netc train --resume {quote(path)}`"
        raise RunError(RunUnreadable(path, f"there is neither `{BEST}` nor `{LAST}` in it", remedy, action))
    signature = _read_signature(config, path)
    tokenizer = read_run_tokenizer(path, signature, action)
    # a train section may pass parameters to its model: `train small for price width=32`
    choice = replace(arguments.choice, model=analysis.training.model, params={**arguments.choice.params, **analysis.training.params})

    def compile_model(choice: Choice) -> Model:
        return make_model(analyze(arguments.source, choice, arguments.path), choice, arguments.path)

    return LoadedRun(compile_model(choice), signature, weights, tokenizer, lambda: compile_model(replace(choice, dims={})))


def _read_signature(config: dict[str, Any], path: str) -> ModelSignature:
    try:
        return signature_from_json(config["signature"])
    except (KeyError, SignatureDamaged):
        raise RunError(RunUnreadable(path, f"its `{CONFIG}` has no signature of the data", "train it again", LOAD)) from None
