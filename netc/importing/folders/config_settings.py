"""Read the settings of a `config.json`, so that none is left out by accident.

In: the settings of a file, and the questions of a family. Out: numbers, flags and names. Always: `check_all_read` raises `NotInZoo` for a
setting that nobody asked for, because it may change the model.

>>> settings = ConfigSettings({"hidden_size": 8, "tie": True})
>>> settings.read_int("hidden_size", 4), settings.read_int("depth", 2)
(8, 2)
>>> settings.check_all_read()
Traceback (most recent call last):
...
netc.importing.folders.config_settings.NotInZoo: `tie` = true
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from .model_folder import FolderRefused

ALWAYS_READ = (
    "architectures",
    "bos_token_id",
    "chunk_size_feed_forward",
    "decoder_start_token_id",
    "dtype",
    "eos_token_id",
    "id2label",
    "initializer_range",
    "label2id",
    "model_type",
    "output_past",
    "problem_type",
    "return_dict",
    "sep_token_id",
    "task_specific_params",
    "tokenizer_class",
    "torch_dtype",
    "transformers_version",
    "use_cache",
    "_name_or_path",
)
"""Settings that do not change the results of any model: names, types of storage, special tokens, initial values, the cache, the form of
results, and the size of the parts in which a layer is computed. Families with classes read the number of names themselves."""
_OFF = (
    "add_cross_attention",
    "is_decoder",
    "is_encoder_decoder",
    "output_attentions",
    "output_hidden_states",
    "pruned_heads",
    "torchscript",
)
"""Settings that change nothing while they are off."""


class NotInZoo(Exception):
    """A setting, or a value of one, that the published spec does not have. The text names it with its value."""


class ConfigSettings:
    """The settings of a file, each of which a family must ask for."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self._read = {name for name in ALWAYS_READ if name in values} | {name for name in _OFF if not values.get(name, False)}

    def skip(self, *names: str) -> None:
        """Mark settings that do not change the results."""
        self._read.update(names)

    def read_int(self, name: str, default: int | None) -> int:
        """Return a positive integer; null stands for the default."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise self._refuse(name, value, "a positive integer")
        return value

    def read_optional_int(self, name: str) -> int | None:
        """Return a positive integer, None if the setting is absent or null."""
        self._read.add(name)
        return None if self.values.get(name) is None else self.read_int(name, None)

    def read_number(self, name: str, default: float | None) -> float:
        """Return a finite number."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self._refuse(name, value, "a number")
        return value

    def read_flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self._refuse(name, value, "true or false")
        return value

    def read_count(self, name: str, default: int) -> int:
        """Return an integer of at least 0, such as the number of a token; null stands for the default."""
        value = self._get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self._refuse(name, value, "an integer of at least 0")
        return value

    def read_side(self, name: str, default: int) -> int:
        """Return the side of a square, which may be written as a pair. Raises `NotInZoo` for the sides of a rectangle."""
        value = self._get(name, default)
        if isinstance(value, list) and len(value) == 2:
            if value[0] != value[1]:
                raise NotInZoo(_format_setting(name, value))
            return ConfigSettings({name: value[0]}).read_int(name, None)
        return self.read_int(name, default)

    def read_mapping(self, name: str) -> ConfigSettings:
        """Return the settings inside a setting. An absent one has none."""
        value = self._get(name, {})
        if not isinstance(value, dict):
            raise self._refuse(name, value, "an object")
        return ConfigSettings(value)

    def read_activation(self, name: str, default: str) -> str:
        """Return the stage of an activation that transformers names."""
        value = self._get(name, default)
        if not isinstance(value, str) or value not in ACTIVATIONS:
            raise NotInZoo(_format_setting(name, value))
        return ACTIVATIONS[value]

    def require(self, name: str, *allowed: object) -> None:
        """Raise `NotInZoo` unless a setting has one of the allowed values. The first is its default; null stands for it."""
        value = self._get(name, allowed[0])
        if not any(value == item and isinstance(value, bool) == isinstance(item, bool) for item in allowed):
            raise NotInZoo(_format_setting(name, value))

    def list_dropout_notes(self, *names: str) -> tuple[str, ...]:
        """Return a note about settings of dropout, which are for training alone. The published specs have no dropout."""
        self._read.update(names)
        used = [f"`{name}` = {self.values[name]}" for name in names if self.values.get(name)]
        return (f"The published spec has no dropout. `config.json` has some, for training: {', '.join(used)}.",) if used else ()

    def check_all_read(self) -> None:
        """Raise `NotInZoo` for a setting that nobody asked for."""
        for name, value in self.values.items():
            if name not in self._read:
                raise NotInZoo(_format_setting(name, value))

    def _get(self, name: str, default: object) -> Any:
        self._read.add(name)
        value = self.values.get(name)
        return default if value is None else value

    def _refuse(self, name: str, value: object, needed: str) -> FolderRefused:
        return FolderRefused(f"`{name}` in `config.json` must be {needed}, not {json.dumps(value)[:60]}")


ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "(gelu approximate=tanh)",
    "gelu_pytorch_tanh": "(gelu approximate=tanh)",
    "mish": "mish",
    "relu": "relu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""The stages that are activations of transformers, by their names there. Families with other ones are imported from transformers."""


def _format_setting(name: str, value: object) -> str:
    text = json.dumps(value)
    return f"`{name}` = {text if len(text) <= 60 else text[:57] + '...'}"
