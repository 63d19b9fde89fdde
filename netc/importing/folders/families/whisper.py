"""Whisper, by specs/text/whisper.net.

>>> from ..config_settings import ConfigSettings
>>> read_whisper(ConfigSettings({"d_model": 64})).arguments["width"]
'64'
"""

from __future__ import annotations

from ..config_settings import ConfigSettings, NotInZoo
from ..weight_names import NameRules
from ..zoo_spec import ZooSpec, format_arguments, zoo_family

RULES = NameRules("model.", ("model.",))
_DROPOUTS = ("dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop", "decoder_layerdrop")


@zoo_family("WhisperForConditionalGeneration")
def read_whisper(settings: ConfigSettings) -> ZooSpec:
    depth, heads = settings.read_int("encoder_layers", 4), settings.read_int("encoder_attention_heads", 6)
    hidden = settings.read_int("encoder_ffn_dim", 1536)
    for name, value, default in (
        ("decoder_layers", depth, 4),
        ("decoder_attention_heads", heads, 6),
        ("decoder_ffn_dim", hidden, 1536),
    ):
        found = settings.read_int(name, default)
        if found != value:
            raise NotInZoo(f"`{name}` = {found}")
    settings.require("activation_function", "gelu")
    settings.require("scale_embedding", False)
    settings.require("tie_word_embeddings", True)
    # Settings of training, of the head of another class, and of the texts that `transformers` generates.
    settings.skip("num_hidden_layers", "init_std", "use_weighted_layer_sum", "classifier_proj_size", "apply_spec_augment", *_DROPOUTS)
    settings.skip(
        "median_filter_width", "suppress_tokens", "begin_suppress_tokens", "forced_decoder_ids", "max_length", "is_encoder_decoder"
    )
    settings.skip(*(name for name in settings.values if name.startswith(("mask_time_", "mask_feature_"))))
    arguments = {
        "width": settings.read_int("d_model", 384),
        "depth": depth,
        "heads": heads,
        "hidden": hidden,
        "bins": settings.read_int("num_mel_bins", 80),
        "vocabulary": settings.read_int("vocab_size", 51_865),
        "padding": settings.read_count("pad_token_id", 50_256),
        "frames": 2 * settings.read_int("max_source_positions", 1500),
        "context": settings.read_int("max_target_positions", 448),
    }
    settings.check_all_read()
    return ZooSpec("text/whisper.net", "network", format_arguments(arguments), (), RULES, settings.list_dropout_notes(*_DROPOUTS))
