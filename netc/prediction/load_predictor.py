"""Load a predictor from the folder of a run, or from an ONNX file that netc wrote.

In: a path. Out: a `Predictor`. Always: a run is compiled from the text in its `config.json`, with the weights that have the best metric;
what it cannot load is a `RunError`, or a `CompileError` if a file that the spec uses has changed.
"""

from __future__ import annotations

import json
import os
from shlex import quote
from typing import TYPE_CHECKING, Any

from netc.compiler.errors.run_errors import RunDiffers, RunError, RunUnreadable
from netc.dsl.record import replace

from ..analysis import analyze, analyze_training
from ..api import make_model
from ..errors import CompileError
from ..files.spec_hash import hash_spec
from ..inputs.argument_checks import check_path
from ..inputs.argument_types import check_arguments
from ..training.configuration import RunArguments, arguments_from_json
from ..training.run_files import BEST, CONFIG, LAST, TOKENIZER, find_weights
from ..training.run_folder import RunFolder
from .model_signature import METADATA_KEY, ModelSignature, SignatureDamaged, signature_from_json
from .predictor import Predictor
from .run_tokenizer import read_run_tokenizer

if TYPE_CHECKING:
    from ..model import Model

ONNX_ENDING = ".onnx"
LOAD = "load"
"""The action that error messages name."""


@check_arguments
def load(path: str | os.PathLike[str], device: str = "cpu") -> Predictor:
    """Load a trained model, to predict with it: `netc.load("run")("new.csv")["predicted_species"]`.

    `path` is the folder of a run, or an ONNX file that netc wrote with the weights of a run. `device` is `cpu` or `cuda`. Raises `RunError`
    for a folder or file that is neither, and `CompileError` if the spec of the run is no longer what it was.
    """
    where = check_path(path)
    return _load_onnx(where, device) if where.lower().endswith(ONNX_ENDING) else _load_run(where, device)


def load_run_model(path: str) -> tuple[Model, ModelSignature]:
    """Compile the model of a run, and read the signature. Raises `RunError` and `CompileError`."""
    if os.path.isfile(path):
        raise RunError(RunUnreadable(path, "it is neither a run nor an ONNX file", "give the folder that `-o` of `netc train` was", LOAD))
    config = RunFolder(path).read_config(LOAD)
    arguments = arguments_from_json(config, path, {}, data="", validation=0.0)
    analysis = analyze_training(arguments.source, arguments.choice, arguments.path, arguments.section)
    if analysis.training is None:
        raise CompileError(analysis.diagnostics)
    if config.get("hash") != hash_spec(analysis, arguments.choice):
        raise RunError(RunDiffers(path, "a file that its spec uses is not what it was", action=LOAD))
    return _compile_model(arguments, analysis.training.model, analysis.training.params), _read_signature(config, path)


def _load_run(path: str, device: str) -> Predictor:
    model, signature = load_run_model(path)
    weights = find_weights(path)
    if weights == path:
        remedy = f"wait for its first checkpoint, or continue it: `netc train --resume {quote(path)}`"
        raise RunError(RunUnreadable(path, f"there is neither `{BEST}` nor `{LAST}` in it", remedy, LOAD))
    if read_run_tokenizer(path, signature, LOAD) is not None:
        signature = replace(signature, options={**signature.options, "tokenizer": os.path.join(path, TOKENIZER)})
    return Predictor(path, model.session(weights, device=device), signature)


def _compile_model(arguments: RunArguments, model: str, params: dict[str, Any]) -> Model:
    choice = replace(arguments.choice, model=model, params={**arguments.choice.params, **params})
    return make_model(analyze(arguments.source, choice, arguments.path), choice, arguments.path)


def _read_signature(config: dict[str, Any], path: str) -> ModelSignature:
    try:
        return signature_from_json(config["signature"])
    except (KeyError, SignatureDamaged):
        raise RunError(RunUnreadable(path, f"its `{CONFIG}` has no signature of the data", "train it again", LOAD)) from None


def _load_onnx(path: str, device: str) -> Predictor:
    from netc.compiler.backends.onnx.runtime import OnnxSession

    if not os.path.isfile(path):
        raise RunError(RunUnreadable(path, "there is no such file", action=LOAD))
    session = OnnxSession(path, device)
    text = session.metadata.get(METADATA_KEY)
    if text is None:
        remedy = "write it from a run: `netc compile SPEC --weights RUN -o MODEL.onnx`; `netc run` takes any ONNX file"
        raise RunError(RunUnreadable(path, "it has no signature of its data", remedy, LOAD))
    try:
        return Predictor(path, session, signature_from_json(json.loads(text)))
    except (ValueError, RecursionError, SignatureDamaged):
        raise RunError(RunUnreadable(path, "the signature of its data is damaged", action=LOAD)) from None
