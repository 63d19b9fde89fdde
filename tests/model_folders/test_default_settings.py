"""A `config.json` may leave out the settings that are usual: netc and transformers must mean the same ones."""

from __future__ import annotations

from inspect import signature
from types import SimpleNamespace
from typing import Any

import pytest

transformers = pytest.importorskip("transformers", reason="the reference of model folders is transformers")

from netc.importing.folders import families  # noqa: E402
from netc.importing.folders.config_settings import ConfigSettings, NotInZoo  # noqa: E402
from netc.importing.folders.model_folder import FolderRefused  # noqa: E402
from netc.importing.folders.module_inputs import find_module_inputs  # noqa: E402
from netc.importing.folders.zoo_spec import FAMILIES  # noqa: E402

assert families.__all__  # the import registers them


def read_arguments(architecture: str, settings: dict[str, Any]) -> Any:
    """The model and its arguments, or the setting that the published spec does not have."""
    try:
        spec = FAMILIES[architecture](ConfigSettings(settings))
    except NotInZoo as refused:
        return str(refused)
    return spec.path, spec.model, dict(spec.arguments)


@pytest.mark.parametrize("architecture", FAMILIES)
def test_defaults(architecture: str) -> None:
    kind = getattr(transformers, architecture).config_class
    complete = kind().to_dict()
    assert read_arguments(architecture, {}) == read_arguments(architecture, complete)
    # also each setting alone, among settings that the zoo has: a default that is refused hides the ones after it
    given = {name: value for name, value in complete.items() if not isinstance(value, dict)}
    for name in given:
        partial = {other: value for other, value in complete.items() if other != name}
        assert read_arguments(architecture, partial) == read_arguments(architecture, complete), name


def make_module(name: str, main: str, arguments: str, **config: Any) -> Any:
    """A module whose `forward` has these arguments."""
    space: dict[str, Any] = {}
    exec(f"def forward(self, {arguments}): ...", space)
    return type(name, (), {"forward": space["forward"], "main_input_name": main, "config": SimpleNamespace(**config)})()


TOKENS = {"input_ids": "[T] int64"}
PADDED = {"attention_mask": "[T] int64"}


@pytest.mark.parametrize(
    ("module", "declared"),
    [
        (make_module("GPT2LMHeadModel", "input_ids", "input_ids, attention_mask, use_cache"), TOKENS),
        (make_module("LlamaForCausalLM", "input_ids", "input_ids, attention_mask"), TOKENS),
        (
            make_module("BertModel", "input_ids", "input_ids, attention_mask, token_type_ids", type_vocab_size=2),
            TOKENS | {"token_type_ids": "[T] int64"} | PADDED,
        ),
        (make_module("RobertaModel", "input_ids", "input_ids, attention_mask, token_type_ids", type_vocab_size=1), TOKENS | PADDED),
        (make_module("Plain", "input_ids", "input_ids"), TOKENS),
        (
            make_module("T5Model", "input_ids", "input_ids, decoder_input_ids, use_cache", is_encoder_decoder=True),
            {"input_ids": "[S] int64", "attention_mask": "[S] int64", "decoder_input_ids": "[T] int64"},
        ),
        (make_module("T5Encoder", "input_ids", "input_ids, decoder_input_ids", is_encoder_decoder=False), TOKENS),
        (
            make_module("Whisper", "input_features", "input_features, decoder_input_ids", num_mel_bins=80, max_source_positions=1500),
            {"input_features": "[80, 3000]", "decoder_input_ids": "[T] int64"},  # the encoder halves the length
        ),
        (make_module("Wav2Vec2Model", "input_values", "input_values"), {"input_values": "[T]"}),
        (make_module("Vocoder", "spectrogram", "spectrogram", model_in_dim=80), {"spectrogram": "[T, 80]"}),
        (make_module("ViT", "pixel_values", "pixel_values", image_size=224, num_channels=1), {"pixel_values": "1x224x224"}),
        (make_module("Swin", "pixel_values", "pixel_values", image_size=[32, 64]), {"pixel_values": "3x32x64"}),
        (make_module("ResNet", "pixel_values", "pixel_values"), {"pixel_values": "3xHxW"}),
        (
            make_module("CLIP", "input_ids", "input_ids, pixel_values", vision_config=SimpleNamespace(image_size=8)),
            {"input_ids": "[M, T] int64 batch=false", "pixel_values": "3x8x8"},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_inputs_of_modules(module: Any, declared: dict[str, str]) -> None:
    found = find_module_inputs(module)
    assert found.declared == declared
    assert found.fixed == ({"use_cache": False} if "use_cache" in signature(module.forward).parameters else {})


def test_inputs_that_are_not_known() -> None:
    with pytest.raises(FolderRefused, match="does not know the inputs of `Odd`, the first of which is `graph`"):
        find_module_inputs(make_module("Odd", "graph", "graph"))


@pytest.mark.parametrize("architecture", FAMILIES)
def test_a_setting_that_nobody_knows_is_refused(architecture: str) -> None:
    """It may change what the model computes."""
    complete = getattr(transformers, architecture).config_class().to_dict()
    if isinstance(read_arguments(architecture, complete), str):
        pytest.skip("the published spec has no model of the usual settings")
    assert "xyzzy_scale" in read_arguments(architecture, complete | {"xyzzy_scale": 2.0})
