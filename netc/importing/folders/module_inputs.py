"""Declare the inputs of a module of transformers from its `config.json`.

In: a module. Out: declarations as `--input` takes them, and further arguments of `forward`. Raises `FolderRefused` for a module whose
inputs netc does not know.

Tokens have the symbolic length `T`, or `S` for the source of an encoder with a decoder. Images have the size in `config.json`.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from netc.dsl.record import Record

from .model_folder import FolderRefused

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_RESOLUTION = "HxW"
"""The size of images for networks that take any."""


class ModuleInputs(Record):
    """Declared inputs by name, and further arguments of `forward`."""

    declared: dict[str, str]
    fixed: dict[str, Any]

    def list_declarations(self) -> list[str]:
        return [f"{name}={declaration}" for name, declaration in self.declared.items()]


def find_module_inputs(module: PreTrainedModel) -> ModuleInputs:
    """Find the inputs of a module."""
    taken = inspect.signature(module.forward).parameters
    declared = _declare_inputs(module, set(taken))
    fixed: dict[str, Any] = {"use_cache": False} if "use_cache" in taken else {}
    return ModuleInputs(declared, fixed)


def _declare_inputs(module: PreTrainedModel, taken: set[str]) -> dict[str, str]:
    config: Any = module.config
    main = module.main_input_name
    if "pixel_values" in taken and "input_ids" in taken:
        return {"input_ids": "[M, T] int64 batch=false", "pixel_values": _declare_image(config)}
    if main == "pixel_values":
        return {main: _declare_image(config)}
    if main == "input_ids" and "decoder_input_ids" in taken and config.is_encoder_decoder:
        return {main: "[S] int64", "attention_mask": "[S] int64", "decoder_input_ids": "[T] int64"}
    if main == "input_ids":
        return _declare_tokens(module, taken)
    if main == "input_features" and "decoder_input_ids" in taken and hasattr(config, "max_source_positions"):
        return {main: f"[{config.num_mel_bins}, {2 * config.max_source_positions}]", "decoder_input_ids": "[T] int64"}
    if main == "input_values":
        return {main: "[T]"}
    if main == "spectrogram":
        return {main: f"[T, {config.model_in_dim}]"}
    raise FolderRefused(
        f"netc does not know the inputs of `{type(module).__name__}`, the first of which is `{main}`",
        f'declare them, such as `--input "{main}=[T, 80]"`',
    )


def _declare_tokens(module: PreTrainedModel, taken: set[str]) -> dict[str, str]:
    """Declare tokens. A decoder sees earlier tokens alone, so it needs no mask for padding at the end."""
    config: Any = module.config
    declared = {"input_ids": "[T] int64"}
    if type(module).__name__.endswith(("ForCausalLM", "LMHeadModel")):
        return declared
    if "token_type_ids" in taken and getattr(config, "type_vocab_size", 0) > 1:
        declared["token_type_ids"] = "[T] int64"
    if "attention_mask" in taken:
        declared["attention_mask"] = "[T] int64"
    return declared


def _declare_image(config: Any) -> str:
    vision = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", None)
    channels = getattr(vision, "num_channels", 3)
    if isinstance(size, list | tuple) and len(size) == 2:
        return f"{channels}x{size[0]}x{size[1]}"
    return f"{channels}x{size}x{size}" if isinstance(size, int) else f"{channels}x{_RESOLUTION}"
