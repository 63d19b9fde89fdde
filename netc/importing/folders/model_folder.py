"""Read what a model folder says of itself: its `config.json`, its files of weights, and its tokenizer.

In: the path of a folder. Out: a `ModelFolder`. Raises `FolderRefused` if the folder is incomplete or needs code of its own. Always: only
`config.json` is read, and nothing is executed.

    >>> list_names(["fc", "head"]), list_names(["a", "b", "c", "d", "e", "f"])
    ('`fc`, `head`', '`a`, `b`, `c`, `d`, `e` and 1 other')
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from netc.dsl.record import Record

from ...files.source_files import format_reason

CONFIG = "config.json"
GENERATION = "generation_config.json"
ADAPTER = "adapter_config.json"
_LARGEST_CONFIG = 64 << 20
"""In bytes."""
_SHOWN = 5
"""The number of names that a message lists."""
_CODE_KEYS = ("auto_map", "trust_remote_code", "custom_pipelines")
"""Settings with which a folder asks to run its own Python files."""


class FolderRefused(Exception):
    """A folder that netc does not import. `remedy` says what to do."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.remedy = remedy


class ModelFolder(Record):
    """A model folder. `architecture` is the class of transformers that wrote it, such as `LlamaForCausalLM`; `family` is its type."""

    path: str
    config: Mapping[str, Any]
    architecture: str
    family: str


def read_model_folder(path: str) -> ModelFolder:
    """Read the description of a folder. Raises `FolderRefused`."""
    config = read_json_object(os.path.join(path, CONFIG))
    if config is None:
        if os.path.isfile(os.path.join(path, ADAPTER)):
            raise FolderRefused("it has an adapter, not a model", "merge it into its model first: `peft.PeftModel.merge_and_unload`")
        raise FolderRefused(f"it has no `{CONFIG}`", "name the folder of a model as transformers saves it with `save_pretrained`")
    if os.path.isfile(os.path.join(path, ADAPTER)):
        # transformers would add the adapter to the weights by itself, and the numbers would be another model's.
        raise FolderRefused(f"it has an adapter too, `{ADAPTER}`", "merge it into the model, or move its files elsewhere")
    for key in _CODE_KEYS:
        if config.get(key):
            raise FolderRefused(
                f"`{key}` in `{CONFIG}` asks to run Python code of the folder, which netc never does",
                f"if transformers has the same model, remove `{key}` from `{CONFIG}`",
            )
    if config.get("quantization_config"):
        raise FolderRefused(
            f"its weights are quantized (`quantization_config` in `{CONFIG}`), and netc reads floats",
            "import the model that was quantized, and quantize it with `netc compile --quantize`",
        )
    return ModelFolder(path, config, _read_architecture(config), _read_family(config))


def _read_family(config: Mapping[str, Any]) -> str:
    family = config.get("model_type")
    if not isinstance(family, str) or not family:
        raise FolderRefused(
            f"`{CONFIG}` has no `model_type`, which names the family of the model", 'add it, such as `"model_type": "llama"`'
        )
    return family


def _read_architecture(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str) or not names[0].isidentifier():
        raise FolderRefused(
            f"`architectures` in `{CONFIG}` must name one class of transformers, not {json.dumps(names)[:100]}",
            'write the class of the model, such as `"architectures": ["LlamaForCausalLM"]`',
        )
    return names[0]


def read_json_object(path: str) -> dict[str, Any] | None:
    """Read a file with a JSON object, None if there is no such file. Raises `FolderRefused`."""
    name = os.path.basename(path)
    try:
        if os.path.getsize(path) > _LARGEST_CONFIG:
            raise FolderRefused(f"`{name}` is too large")
        with open(path, "rb") as file:
            content = json.loads(file.read())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FolderRefused(f"cannot read `{name}`: {format_reason(error)}") from None
    except (ValueError, RecursionError) as error:
        raise FolderRefused(f"`{name}` is no JSON: {' '.join(str(error).split())[:100]}") from None
    if not isinstance(content, dict):
        raise FolderRefused(f"`{name}` must be a JSON object")
    return content


def list_names(names: Sequence[str]) -> str:
    """List the first names for a message, and the number of the others."""
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    others = len(names) - _SHOWN
    return f"{shown} and {others} other{'s' if others > 1 else ''}" if others > 0 else shown
