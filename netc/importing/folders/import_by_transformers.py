"""Import a folder of any family by transformers: make the model from `config.json`, load the weights, and import the module.

In: a `ModelFolder` and the tensors of its weights. Out: an `ImportedFolder`, proved against the module. Raises `FolderRefused`,
`ImportFailed` and `NotProved`. Always: the class is one of transformers' own, nothing is downloaded, and no code of the folder is executed.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from logging import CRITICAL
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.compiler.errors.optional_packages import format_install_command
from netc.compiler.types.numpy_types import Array, numpy_dtype
from netc.compiler.types.tensor_types import FLOAT32, DType
from netc.compiler.weights.lazy_tensors import StoredTensor, stored_tensor

from ..input_declarations import parse_inputs
from ..module_origin import make_declared_origin
from ..run_import import import_spec
from .config_settings import NotInZoo
from .imported_folder import ImportedFolder
from .model_folder import FolderRefused, ModelFolder, list_names
from .module_inputs import ModuleInputs, find_module_inputs

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ATTENTION = ("sdpa", "eager")
"""The implementations of attention to try. They are named, because `config.json` may ask for one that would be downloaded."""
_LENGTH_DEPENDENT = ("dynamic", "longrope")
"""Kinds of rotary embeddings whose frequencies depend on the length of the text."""


def import_by_transformers(
    folder: ModelFolder,
    tensors: Mapping[str, StoredTensor],
    name: str,
    reason: NotInZoo | None,
    *,
    inputs: Sequence[str] = (),
    fixed: Mapping[str, Any] | None = None,
    sizes: Mapping[str, int] | None = None,
    verify: bool = True,
) -> ImportedFolder:
    """Import a folder as a module. `reason` says why the published spec does not serve. `inputs`, `fixed` and `sizes` are the user's
    declarations of inputs, further arguments and example sizes, in place of the usual ones."""
    _refuse_length_dependent(folder.config)
    with _quiet_transformers(reason):
        module, notes = _load_module(folder)
        usual = ModuleInputs({}, {}) if inputs else find_module_inputs(module)
        declared = parse_inputs(list(inputs) or usual.list_declarations())
        origin = make_declared_origin(module, declared, folder.architecture, {**usual.fixed, **(fixed or {})}, sizes=sizes)
        spec = import_spec(origin, verify=verify, name=f"{name}.net")
    narrow = _find_common_type(tensors)
    arrays = {key: _narrow_array(array, narrow) for key, array in origin.imported.weights.items()}
    in_place = arrays.keys() == tensors.keys() and all(_is_same(tensors[key], array) for key, array in arrays.items())
    kept = None if in_place else {key: stored_tensor(array) for key, array in arrays.items()}
    why = "" if reason is None else f", because the zoo does not have {reason}"
    return ImportedFolder(
        spec.text, spec.model, kept, f"{folder.architecture}, by the module of transformers{why}", (*notes, *spec.notes), spec
    )


def _refuse_length_dependent(config: Mapping[str, Any]) -> None:
    rope = config.get("rope_scaling") or config.get("rope_parameters")
    kind = (rope.get("rope_type") or rope.get("type")) if isinstance(rope, dict) else None
    if kind in _LENGTH_DEPENDENT:
        raise FolderRefused(
            f'`rope_type` = "{kind}" in `config.json`: the positions of a text would change with its length, which no cache allows',
            'for short texts, write `"rope_type": "default"`, if the model was trained so',
        )


@contextmanager
def _quiet_transformers(reason: NotInZoo | None) -> Iterator[None]:
    """Import transformers without its notes and progress bars, and without the network. Raises `FolderRefused` if it is not installed."""
    try:
        from transformers.utils import logging
    except ImportError:
        why = "" if reason is None else f"the zoo does not have {reason}, and "
        remedy = f"run `{format_install_command('transformers')}`, with which netc imports every family"
        raise FolderRefused(f"{why}the package transformers is not installed", remedy) from None
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _load_module(folder: ModelFolder) -> tuple[PreTrainedModel, list[str]]:
    """Load the module in float32, which has all numbers of the narrower types. Return also notes."""
    import torch

    kind: Any = _find_class(folder)
    failure: Exception | None = None
    for attention in _ATTENTION:
        try:
            module, info = kind.from_pretrained(
                folder.path,
                local_files_only=True,
                trust_remote_code=False,
                weights_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # its own error does not name them
                attn_implementation=attention,
                dtype=torch.float32,
            )
        except Exception as error:  # transformers raises whatever its checks of settings raise
            failure = error
            continue
        return module.eval(), _check_loading(info, module.state_dict())
    raise FolderRefused(f"transformers cannot load it: {type(failure).__name__}: {' '.join(str(failure).split())[:300]}")


def _find_class(folder: ModelFolder) -> type[PreTrainedModel]:
    import transformers

    kind = getattr(transformers, folder.architecture, None)
    if not (isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)):
        raise FolderRefused(
            f"neither netc nor transformers {transformers.__version__} has the architecture `{folder.architecture}` (`model_type` "
            f"`{folder.family}`)",
            "a newer version may have it: `pip install --upgrade transformers`",
        )
    expected = getattr(kind.config_class, "model_type", None)
    if expected != folder.family:
        raise FolderRefused(f"`config.json` has the `model_type` `{folder.family}`, and `{folder.architecture}` is of `{expected}`")
    return kind


def _check_loading(info: Mapping[str, Any], names: Collection[str]) -> list[str]:
    """Return notes about weights that the module does not have.

    Raises `FolderRefused` if a weight is missing or has another shape, because transformers would draw it at random, and for the weights
    of further layers, because `config.json` says that there are fewer.
    """
    mismatched = sorted(item[0] if isinstance(item, tuple) else item for item in info.get("mismatched_keys", ()))
    missing, unexpected = sorted(info.get("missing_keys", ())), sorted(info.get("unexpected_keys", ()))
    patterns = {_hide_numbers(name) for name in names}
    surplus = [name for name in unexpected if _hide_numbers(name) in patterns]
    if mismatched:
        raise FolderRefused(f"weights have other shapes than `config.json` says: {list_names(mismatched)}")
    if missing:
        raise FolderRefused(f"the weights lack {list_names(missing)}", "name the folder that has all of the model")
    if surplus:
        raise FolderRefused(f"the weights have parts that the settings in `config.json` do not have: {list_names(surplus)}")
    return [f"The model has no part for these weights, which are left out: {list_names(unexpected)}."] if unexpected else []


def _hide_numbers(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _find_common_type(tensors: Mapping[str, StoredTensor]) -> DType | None:
    """Return the float type of all weights of the folder if it is narrower than float32."""
    kinds = {tensor.dtype for tensor in tensors.values() if tensor.dtype is not None and tensor.dtype.is_float}
    return next(iter(kinds)) if len(kinds) == 1 and kinds != {FLOAT32} else None


def _narrow_array(array: Array, dtype: DType | None) -> Array:
    """Return an array in the type of the folder's weights, if that has all of its numbers."""
    if dtype is None or array.dtype != np.float32:
        return array
    narrow = array.astype(numpy_dtype(dtype))
    return narrow if np.array_equal(narrow.astype(np.float32), array) else array


def _is_same(tensor: StoredTensor, array: Any) -> bool:
    """Whether a tensor of the folder has the values that transformers made of it, so that `--weights FOLDER` gives them too."""
    return bool(tensor.shape == array.shape and tensor.kind == array.dtype.name and tensor.read().tobytes() == array.tobytes())
