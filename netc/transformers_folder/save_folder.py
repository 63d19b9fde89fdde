"""Write a folder for transformers: config.json, two Python files, and the weights.

In: a checked program with weights. Out: a folder that `AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)` loads. Always:
the keys of the weights are the keys of the state dict, the folder is complete or does not exist, and nothing is overwritten.

For example, `model network { tokens = input [T] int64; ... }` becomes a module `modeling_network` with `NetworkForCausalLM`, a module
`configuration_network` with `NetworkConfig`, config.json, generation_config.json and model.safetensors.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import WrongOutput
from netc.compiler.ir.walk import collect_graphs
from netc.compiler.weights.lazy_tensors import StoredTensor
from netc.dsl.record import Record

from ..files.atomic_writing import name_path_in_errors
from ..files.write_safetensors import write_safetensors
from ..inputs.backend_input import warn_about_weights
from ..training.partition_specs import generalize_keys
from ..training.shardable_layers import COLUMNS, ROWS, plan_sharding
from .choose_task import choose_task

if TYPE_CHECKING:
    from netc.compiler.backends.backend import Arrays, BackendInput
    from netc.compiler.backends.torch.pretrained.model_templates import PretrainedTask
    from netc.compiler.ir.graph import Program

    from ..streaming.special_tokens import Tokens

WEIGHTS, CONFIG, GENERATION = "model.safetensors", "config.json", "generation_config.json"
_STYLES = {COLUMNS: "colwise", ROWS: "rowwise"}


class NoTransformersForm(WrongOutput):
    """transformers cannot take the model, and why."""

    def __init__(self, why: str) -> None:
        super().__init__(f"transformers cannot take this model: {why}")


class TransformersFolder(Record):
    """A folder that was written: its `files`, and `notes` for users, texts without a full stop."""

    files: tuple[str, ...]
    notes: tuple[str, ...]


def save_transformers_folder(
    program: Program, given: BackendInput, folder: str, special: Mapping[str, Tokens], task: str | None = None
) -> TransformersFolder:
    """Write the folder. `program` becomes source, and `given` is the same program with the weights, perhaps in another element type.
    `special` are the tokens that begin, end and pad a text. `task` is one of `TASKS`, by default the one that the inputs and outputs show.

    Raises `NoTransformersForm`, `FileExistsError` if the folder exists, and `OSError`.
    """
    if os.path.lexists(folder):
        raise FileExistsError(17, "it exists already", folder)
    files, notes = _build_files(program, given, special, choose_task(program, task))
    home = os.path.dirname(os.path.abspath(folder))
    with name_path_in_errors(folder), warn_about_weights(given):
        temporary = tempfile.mkdtemp(prefix=".netc-", dir=home)
        try:
            for name, text in files.items():
                Path(temporary, name).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
            write_safetensors(os.path.join(temporary, WEIGHTS), _store_weights(given.program, given.open_arrays()))
            os.chmod(temporary, 0o755)  # `mkdtemp` lets nobody else read it
            os.rename(temporary, folder)
        except BaseException:  # also Ctrl-C: half a folder would look like a result
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return TransformersFolder(tuple(sorted(str(file) for file in Path(folder).iterdir())), notes)


def _format_place(program: Program, label: str) -> str:
    """Format the place of the first stage with a label. Empty if there is none."""
    nodes = (node for graph in reversed(collect_graphs(program.main)) for node in graph.nodes)  # outer ones first
    span = next((node.span for node in nodes if label and node.label.split(".")[0] == label), None)
    return "" if span is None else f", at {span!r}"


def _build_files(
    program: Program, given: BackendInput, special: Mapping[str, Tokens], task: PretrainedTask
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Build the texts of the folder's files, by their names, and notes."""
    from netc.compiler.backends.python.python_source import get_spec_name
    from netc.compiler.backends.torch.pretrained.pretrained_program import NotPretrained
    from netc.compiler.backends.torch.pretrained.rewrite_program import rewrite_program
    from netc.compiler.backends.torch.pretrained.write_config import write_config
    from netc.compiler.backends.torch.pretrained.write_model import ModelWriter, collect_ties

    name, stem = given.name, _make_stem(given.name)
    configuration, modeling = f"configuration_{stem}", f"modeling_{stem}"
    try:
        pretrained = rewrite_program(program, causal=task.is_causal, takes_tokens=task.takes_tokens)
        model = ModelWriter().write_model(pretrained, name, task, configuration)
    except NotPretrained as error:
        raise NoTransformersForm(f"{error}{_format_place(program, error.label)}") from None
    is_tied, model_type = bool(collect_ties(pretrained)), f"netc_{stem}"
    base = "" if pretrained.base is None else pretrained.base.label
    config = write_config(model, task, get_spec_name(program, name), model_type, _plan_layers(program, base), is_tied)
    classes = {"AutoConfig": f"{configuration}.{model.prefix}Config", task.auto_class: f"{modeling}.{model.prefix}{task.suffix}"}
    if model.has_base:
        classes["AutoModel"] = f"{modeling}.{model.prefix}Model"
    values = {
        "architectures": [f"{model.prefix}{task.suffix}"],
        "auto_map": classes,
        "dtype": _find_dtype(given.program),
        "model_type": model_type,
        **model.fields,
        **model.sizes,
        **({"num_labels": model.labels} if model.labels else {}),
        "tie_word_embeddings": is_tied,
        **special,
    }
    files = {f"{modeling}.py": model.text, f"{configuration}.py": config, CONFIG: _to_json(values)}
    if task.has_cache:
        files[GENERATION] = _to_json({**special})
    unknown = f"{GENERATION} has no `eos_token_id`, because it is not known without config.json next to the weights"
    ends = (unknown,) if task.has_cache and "eos_token_id" not in special else ()
    missing = "a tokenizer" if task.takes_tokens else "preprocessor_config.json"
    return files, (*ends, f"{missing} is not part of it: copy it from the checkpoint")


def _make_stem(name: str) -> str:
    """Make the part of file names that names the network."""
    stem = re.sub(r"\W+", "_", os.path.splitext(os.path.basename(name))[0].lower(), flags=re.ASCII).strip("_")
    return stem if stem and not stem[0].isdigit() else f"net_{stem}".rstrip("_")


def _to_json(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), indent=2, sort_keys=True) + "\n"


def _find_dtype(program: Program) -> str:
    """Find the element type of the parameters."""
    names = [info.dtype.name for info in collect_parameters(program).values() if info.dtype.is_float]
    return max(names, key=names.count, default="float32")


def _plan_layers(program: Program, base: str) -> dict[str, str]:
    """Plan which layers of the base model devices may share, in the words of transformers, by patterns of their paths."""
    plan = plan_sharding(program, 1)
    styles = {path: _STYLES[style] for path, style in plan.styles.items() if style in _STYLES}
    prefix = f"{base}." if base else ""
    paths = {path.removeprefix(prefix): style for path, style in styles.items() if path.startswith(prefix)}
    return generalize_keys(paths, list(paths))


def _store_weights(program: Program, arrays: Arrays) -> dict[str, StoredTensor]:
    """List the tensors of the file. Tied parameters are in it once."""
    infos = [info for info in collect_parameters(program).values() if info.tied_to is None]
    return {info.name: StoredTensor(info.shape, info.dtype.name, _read_later(arrays, info.name)) for info in infos}


def _read_later(arrays: Arrays, name: str) -> Any:
    return lambda: arrays[name]
