"""Write an imported folder: the spec, and its weights where the folder has them under other names.

In: an `ImportedFolder`, and paths. Out: the files. Always: the spec is written last, so it is there only if its weights are. What fails
leaves no files.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping

from netc.compiler.weights.lazy_tensors import StoredTensor

from ...files.atomic_writing import write_bytes, write_files
from ...files.write_safetensors import write_safetensors
from ...streaming.special_tokens import read_special_tokens
from ...tokenizing.text_tokenizer import TOKENIZER
from .imported_folder import ImportedFolder
from .model_folder import GENERATION

WEIGHTS_FILE = "model.safetensors"
FOLDER_ENDING = ".weights"
"""The ending of the folder with the weights, after the name of the spec: `llama.weights` next to `llama.net`."""


def write_spec(result: ImportedFolder, path: str) -> None:
    """Write the text, and the arrays that it names."""
    if result.proved is not None:
        result.proved.save(path)
    else:
        write_bytes(path, result.text.encode())


def write_weights(tensors: Mapping[str, StoredTensor], path: str) -> None:
    """Write the weights to one file."""
    write_files(path, lambda temporary: write_safetensors(temporary, tensors))


def write_weights_folder(tensors: Mapping[str, StoredTensor], source: str, target: str) -> None:
    """Write the weights to a folder, with the tokenizer and the special tokens of the source, so that `netc generate` finds them."""
    is_new = not os.path.isdir(target)
    os.makedirs(target, exist_ok=True)
    try:
        write_weights(tensors, os.path.join(target, WEIGHTS_FILE))
        tokenizer = os.path.join(source, TOKENIZER)
        if os.path.isfile(tokenizer):
            _copy_file(tokenizer, os.path.join(target, TOKENIZER))
        special = read_special_tokens([source])
        if special:
            write_bytes(os.path.join(target, GENERATION), json.dumps(special).encode() + b"\n")
    except BaseException:
        if is_new:
            shutil.rmtree(target, ignore_errors=True)
        raise


def _copy_file(source: str, target: str) -> None:
    def write(temporary: str) -> None:
        shutil.copyfile(source, temporary)

    write_files(target, write)
