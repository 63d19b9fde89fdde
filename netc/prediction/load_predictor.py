"""Load a predictor from the folder of a run, or from an ONNX file that netc wrote.

In: a path. Out: a `Predictor`. Always: a run is compiled from the text in its `config.json`, with the weights that have the best metric;
what it cannot load is a `RunError`, or a `CompileError` if a file that the spec uses has changed.
"""

from __future__ import annotations

import os

from netc.compiler.errors.run_errors import RunError, RunUnreadable
from netc.dsl.record import replace

from ..inputs.argument_checks import check_path
from ..inputs.argument_types import check_arguments
from ..tokenizing.text_tokenizer import BYTES, Tokenizer
from ..training.run_files import LOAD, TOKENIZER
from .model_signature import ModelSignature, SignatureDamaged, read_metadata_signature
from .predictor import Predictor

ONNX_ENDING = ".onnx"
TEXT_FORMAT = "text"
"""The format of training data that is text."""


@check_arguments
def load(path: str | os.PathLike[str], device: str = "cpu") -> Predictor:
    """Load a trained model, to predict with it: `netc.load("run")("new.csv")["predicted_species"]`.

    `path` is the folder of a run, or an ONNX file that netc wrote with the weights of a run. `device` is `cpu` or `cuda`. Raises `RunError`
    for a folder or file that is neither, and `CompileError` if the spec of the run is no longer what it was.
    """
    where = check_path(path)
    return _load_onnx(where, device) if where.lower().endswith(ONNX_ENDING) else _load_run(where, device)


def _load_run(path: str, device: str) -> Predictor:
    from .load_generator import make_run_generator  # an ONNX file is loaded without what compiles and trains, and without PyTorch
    from .load_run import load_run

    run = load_run(path)
    signature = run.signature
    if run.tokenizer is not None:
        signature = replace(signature, options={**signature.options, "tokenizer": os.path.join(path, TOKENIZER)})
    session = run.model.session(run.weights, device=device)
    return Predictor(path, session, signature, lambda: make_run_generator(run, device=device), run.tokenizer or _find_bytes(signature))


def _load_onnx(path: str, device: str) -> Predictor:
    from netc.compiler.backends.onnx.runtime import OnnxSession

    if not os.path.isfile(path):
        raise RunError(RunUnreadable(path, "there is no such file", action=LOAD))
    session = OnnxSession(path, device)
    try:
        signature = read_metadata_signature(session.metadata)
    except SignatureDamaged:
        raise RunError(RunUnreadable(path, "the signature of its data is damaged", action=LOAD)) from None
    if signature is None:
        remedy = "write it from a run: `netc compile SPEC --weights RUN -o MODEL.onnx`; `netc run` takes any ONNX file"
        raise RunError(RunUnreadable(path, "it has no signature of its data", remedy, LOAD))
    return Predictor(path, session, signature, tokenizer=_find_bytes(signature))


def _find_bytes(signature: ModelSignature) -> Tokenizer | None:
    """Return the bytes as the tokenizer of a model that was trained on text without one."""
    return BYTES if signature.format == TEXT_FORMAT and not signature.tokenizer else None
