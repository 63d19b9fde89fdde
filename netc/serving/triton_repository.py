"""Write a model for NVIDIA's Triton Inference Server: a folder in a model repository.

In: a function that writes the ONNX file, and the signature of the model, if it has one. Out: `NAME/1/model.onnx`, `NAME/config.pbtxt` and a
file of labels for each output with class names. Always: names, types and sizes are the ones that ONNX Runtime finds in the file. Triton may
join requests only if samples do not depend on each other. The folder is complete, or does not exist.

For example, `x = input 4 -> dense 3` becomes

    name: "net"
    platform: "onnxruntime_onnx"
    max_batch_size: 64
    input [
      { name: "x" data_type: TYPE_FP32 dims: [ 4 ] }
    ]
    output [
      { name: "output" data_type: TYPE_FP32 dims: [ 3 ] }
    ]
    dynamic_batching { }
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.ir.ports import Port
from netc.dsl.record import Record

from ..files.atomic_writing import name_path_in_errors
from ..prediction.model_signature import ModelSignature
from .batch_independence import find_batch_obstacle
from .datatypes import name_datatype

CONFIG, MODEL, VERSION = "config.pbtxt", "model.onnx", "1"
MAX_BATCH = 64
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class RepositoryEntry(Record):
    """A model in a repository. `files` are the paths of its files, `obstacle` says why Triton must not join requests; it may be empty."""

    files: tuple[str, ...]
    obstacle: str


def write_repository_entry(
    repository: str, name: str, write_model: Callable[[str], None], signature: ModelSignature | None
) -> RepositoryEntry:
    """Write the folder of a model. Raises `FileExistsError` if the repository has a model of this name, and `OSError`."""
    target = os.path.join(repository, name)
    if os.path.lexists(target):
        raise FileExistsError(17, "it exists already", target)
    with name_path_in_errors(repository):
        os.makedirs(repository, exist_ok=True)
        # Next to its place and renamed: Triton may watch the repository, and loads what it finds.
        folder = tempfile.mkdtemp(prefix=".netc-", dir=repository)
    try:
        os.mkdir(os.path.join(folder, VERSION))
        path = os.path.join(folder, VERSION, MODEL)
        write_model(path)
        session = OnnxSession(path)
        obstacle = find_batch_obstacle(session)
        labels = _write_labels(folder, session.outputs, signature)
        config = format_config(name, session.inputs, session.outputs, labels, can_join=not obstacle)
        Path(folder, CONFIG).write_text(config, encoding="utf-8", newline="\n")
        os.chmod(folder, 0o755)  # `mkdtemp` lets nobody else read it, and Triton runs as another user
        os.rename(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return RepositoryEntry(tuple(sorted(str(file) for file in Path(target).rglob("*") if file.is_file())), obstacle)


def format_config(
    name: str, inputs: Mapping[str, Port], outputs: Mapping[str, Port], labels: Mapping[str, str] | None = None, can_join: bool = True
) -> str:
    """Return the text of `config.pbtxt`. `labels` are the files of labels by output. `can_join`: the first axis is the batch, and samples
    do not depend on each other."""
    first = 1 if can_join else 0
    lines = [f"name: {_quote(name)}", 'platform: "onnxruntime_onnx"', f"max_batch_size: {MAX_BATCH if can_join else 0}"]
    for kind, ports in (("input", inputs), ("output", outputs)):
        files = (labels or {}) if kind == "output" else {}
        lines += [f"{kind} [", ",\n".join(f"  {{ {_format_port(port, first, files.get(port.name))} }}" for port in ports.values()), "]"]
    if can_join:
        lines.append("dynamic_batching { }")
    return "\n".join(lines) + "\n"


def _format_port(port: Port, first: int, labels: str | None) -> str:
    sizes = [str(size) if isinstance(size, int) else "-1" for size in port.shape[first:]]
    # Triton has no tensors without axes: one element is reshaped to a scalar.
    shape = f"dims: [ {', '.join(sizes)} ]" if sizes else "dims: [ 1 ] reshape: { shape: [ ] }"
    text = f"name: {_quote(port.name)} data_type: TYPE_{name_datatype(port.dtype)} {shape}"
    return text if labels is None else f"{text} label_filename: {_quote(labels)}"


def _write_labels(folder: str, outputs: Mapping[str, Port], signature: ModelSignature | None) -> dict[str, str]:
    """Write a file of labels for each output with a score for each class, and return the files by output."""
    files: dict[str, str] = {}
    for output in signature.outputs if signature is not None else ():
        port = outputs.get(output.name)
        # A line is a label, so a name that is no line has none.
        are_lines = all(name and len(name.splitlines()) == 1 and name == name.strip() for name in output.classes)
        if port is None or len(port.shape) != 2 or port.shape[1] != len(output.classes) or not are_lines:
            continue
        file = f"labels{f'_{len(files) + 1}' if files else ''}.txt"
        text = "".join(f"{name}\n" for name in output.classes)
        Path(folder, file).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        files[output.name] = file
    return files


def _quote(text: str) -> str:
    """Return a text as a string of protobuf's text format."""
    return '"' + "".join(_ESCAPES.get(character, character) for character in text) + '"'
