"""CLIP, by specs/text/clip.net.

For example, `clip-vit-base-patch32` is `clip_base_32` of that file.
"""

from __future__ import annotations

from ..config_settings import ConfigSettings
from ..weight_names import NameRules
from ..zoo_spec import ZooSpec, format_arguments, zoo_family

RULES = NameRules(dropped=(r"embeddings\.position_ids$",))


@zoo_family("CLIPModel")
def read_clip(settings: ConfigSettings) -> ZooSpec:
    text, vision = settings.read_mapping("text_config"), settings.read_mapping("vision_config")
    end = text.read_count("eos_token_id", 49_407)
    # With 2, the number in old files, transformers takes the token with the greatest number for the end.
    if end == 2:
        text.require("eos_token_id", 49_407)
    vision.require("num_channels", 3)
    settings.skip("logit_scale_init_value", "initializer_factor")
    arguments: dict[str, float | bool | str | None] = {
        "image": _read_tower(vision, 768, 12, 3072),
        "text": _read_tower(text, 512, 8, 2048),
        "patch": vision.read_side("patch_size", 32),
        "features": settings.read_int("projection_dim", 512),
        "vocabulary": text.read_int("vocab_size", 49_408),
        "context": text.read_int("max_position_embeddings", 77),
        "size": vision.read_side("image_size", 224),
        "end": end,
    }
    for part in (text, vision, settings):
        part.check_all_read()
    notes = (*text.list_dropout_notes("attention_dropout"), *vision.list_dropout_notes("attention_dropout"))
    return ZooSpec("text/clip.net", "network", format_arguments(arguments), (), RULES, notes)


def _read_tower(settings: ConfigSettings, width: int, heads: int, hidden: int) -> str:
    """Read the sizes of a tower, as the list that the spec takes."""
    settings.require("hidden_act", "quick_gelu")
    settings.require("layer_norm_eps", 1e-5)
    settings.skip("initializer_factor", "attention_dropout", "projection_dim", "pad_token_id")
    sizes = (
        settings.read_int("hidden_size", width),
        settings.read_int("num_hidden_layers", 12),
        settings.read_int("num_attention_heads", heads),
        settings.read_int("intermediate_size", hidden),
    )
    return f"[{', '.join(map(str, sizes))}]"
