"""Models to files: the ending of the name tells what is written."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING

from .writing import is_stream, write_bytes, write_files

if TYPE_CHECKING:
    from .model import Model, Weights

TARGETS = {".py": "torch", ".onnx": "onnx"}
"""Targets by the ending of the output's name."""


class WrongOutput(ValueError):
    """A path or an option that does not go with what is to be written."""


def target_of(path: str) -> str:
    """The target that a path asks for."""
    target = TARGETS.get(PurePath(path).suffix.lower())
    if target is None:
        known = " nor in ".join(f"`{ending}`" for ending in TARGETS)
        raise WrongOutput(f"the name of the output, `{path}`, ends neither in {known}")
    return target


def save(model: Model, path: str, weights: Weights | None = None, seed: int | None = None, target: str | None = None) -> None:
    """Writes the model whole, or not at all."""
    if (target or target_of(path)) == "torch":
        if weights is not None or seed is not None:
            raise WrongOutput("PyTorch source holds no weights: they are loaded into its module, or saved with the `.onnx`")
        write_bytes(path, model.source().encode())
        return
    from netc.compiler.backends.onnx.save import is_large, save_proto

    proto = model.onnx(weights, seed)
    if not is_stream(path):
        write_files(path, lambda temporary: save_proto(proto, temporary))
    elif is_large(proto):
        raise WrongOutput("a model over 2 GB is two files, and cannot be written to a pipe")
    else:
        write_bytes(path, proto.SerializeToString(deterministic=True))
