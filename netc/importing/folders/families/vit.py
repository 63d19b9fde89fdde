"""Vision transformers that classify, by specs/vision/vit_transformers.net.

>>> from netc.importing.folders.config_settings import ConfigSettings
>>> read_class_count(ConfigSettings({"id2label": {"0": "cat", "1": "dog", "2": "cow"}}))
3
"""

from __future__ import annotations

from ..config_settings import ConfigSettings
from ..model_folder import FolderRefused
from ..weight_names import NameRules
from ..zoo_spec import ZooSpec, format_arguments, zoo_family

RULES = NameRules(
    "vit.",
    ("vit.",),
    (
        (r"\bencoder\.layer\.", "layers."),
        (r"\.attention\.attention\.(query|key|value)\.", lambda match: f".attention.{match[1][0]}_proj."),
        (r"\.attention\.output\.dense\.", ".attention.o_proj."),
        (r"\.intermediate\.dense\.", ".mlp.fc1."),
        (r"\.output\.dense\.", ".mlp.fc2."),
    ),
    dropped=(r"\bpooler\.",),
)
"""transformers 5 has renamed the layers, and still writes checkpoints with the old names."""
_DROPOUTS = ("hidden_dropout_prob", "attention_probs_dropout_prob")


@zoo_family("ViTForImageClassification")
def read_vit(settings: ConfigSettings) -> ZooSpec:
    settings.require("hidden_act", "gelu")
    settings.require("num_channels", 3)
    settings.require("qkv_bias", True)
    settings.skip("encoder_stride", "pooler_output_size", "pooler_act", *_DROPOUTS)
    arguments = {
        "patch": settings.read_side("patch_size", 16),
        "width": settings.read_int("hidden_size", 768),
        "depth": settings.read_int("num_hidden_layers", 12),
        "heads": settings.read_int("num_attention_heads", 12),
        "hidden": settings.read_int("intermediate_size", 3072),
        "classes": read_class_count(settings),
        "size": settings.read_side("image_size", 224),
        "eps": settings.read_number("layer_norm_eps", 1e-12),
    }
    settings.check_all_read()
    return ZooSpec(
        "vision/vit_transformers.net", "network", format_arguments(arguments), (), RULES, settings.list_dropout_notes(*_DROPOUTS)
    )


def read_class_count(settings: ConfigSettings) -> int:
    """Read the number of classes: the number of their names, or `num_labels`, or 2."""
    names = settings.values.get("id2label")
    settings.skip("id2label", "label2id")
    count = settings.read_optional_int("num_labels")
    if names is None:
        return count or 2
    if not isinstance(names, dict) or not names:
        raise FolderRefused("`id2label` in `config.json` must have a name for each class")
    return len(names)
