"""T5 and its encoder, by specs/text/t5.net.

>>> from ..config_settings import ConfigSettings
>>> read_t5(ConfigSettings({"d_model": 64, "num_layers": 2})).arguments
{'width': '64', 'depth': '2', 'heads': '8', 'size': '64', 'hidden': '2048', 'vocabulary': '32_128'}
"""

from __future__ import annotations

from ..config_settings import ConfigSettings, NotInZoo
from ..weight_names import NameRules
from ..zoo_spec import ZooSpec, format_arguments, zoo_family

RULES = NameRules(
    dropped=(
        r"^(encoder|decoder)\.embed_tokens\.weight$",
        r"^decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$",
    )
)
"""The embedding has up to three names. Old checkpoints have a bias that no class reads."""


def _read_stacks(settings: ConfigSettings, model: str) -> ZooSpec:
    depth = settings.read_int("num_layers", 6)
    if settings.read_int("num_decoder_layers", depth) != depth:
        raise NotInZoo(f"`num_decoder_layers` = {settings.values['num_decoder_layers']}")
    settings.require("feed_forward_proj", "relu")
    settings.require("dense_act_fn", "relu")
    settings.require("is_gated_act", False)
    settings.require("relative_attention_num_buckets", 32)
    settings.require("relative_attention_max_distance", 128)
    settings.require("layer_norm_epsilon", 1e-6)
    settings.require("tie_word_embeddings", True)
    settings.require("scale_decoder_outputs", True)
    settings.skip("initializer_factor", "dropout_rate", "classifier_dropout", "pad_token_id", "is_encoder_decoder", "n_positions")
    arguments = {
        "width": settings.read_int("d_model", 512),
        "depth": depth,
        "heads": settings.read_int("num_heads", 8),
        "size": settings.read_int("d_kv", 64),
        "hidden": settings.read_int("d_ff", 2048),
        "vocabulary": settings.read_int("vocab_size", 32_128),
    }
    settings.check_all_read()
    return ZooSpec("text/t5.net", model, format_arguments(arguments), (), RULES, settings.list_dropout_notes("dropout_rate"))


@zoo_family("T5ForConditionalGeneration")
def read_t5(settings: ConfigSettings) -> ZooSpec:
    return _read_stacks(settings, "network")


@zoo_family("T5EncoderModel")
def read_t5_encoder(settings: ConfigSettings) -> ZooSpec:
    return _read_stacks(settings, "encoder_network")
