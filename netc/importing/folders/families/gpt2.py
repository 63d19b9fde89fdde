"""GPT-2, by specs/text/gpt2.net.

>>> from ..config_settings import ConfigSettings
>>> read_gpt2(ConfigSettings({"n_embd": 64, "n_layer": 2, "n_head": 4})).arguments
{'width': '64', 'depth': '2', 'heads': '4', 'vocabulary': '50_257', 'context': '1024'}
"""

from __future__ import annotations

from ..config_settings import ConfigSettings
from ..weight_names import NameRules
from ..zoo_spec import ZooSpec, format_arguments, zoo_family

RULES = NameRules("transformer.", ("transformer.",), dropped=(r"\.attn\.(masked_)?bias$",))
_DROPOUTS = ("resid_pdrop", "embd_pdrop", "attn_pdrop")


@zoo_family("GPT2LMHeadModel")
def read_gpt2(settings: ConfigSettings) -> ZooSpec:
    width = settings.read_int("n_embd", 768)
    activation = settings.read_activation("activation_function", "gelu_new")
    eps = settings.read_number("layer_norm_epsilon", 1e-5)
    arguments = {
        "width": width,
        "depth": settings.read_int("n_layer", 12),
        "heads": settings.read_int("n_head", 12),
        "hidden": settings.read_optional_int("n_inner"),
        "vocabulary": settings.read_int("vocab_size", 50_257),
        "context": settings.read_int("n_positions", 1024),
        "eps": None if eps == 1e-5 else eps,
        "activation": None if activation == "(gelu approximate=tanh)" else activation,
    }
    settings.require("scale_attn_weights", True)
    settings.require("scale_attn_by_inverse_layer_idx", False)
    # It computes the scores in float32, which they are already.
    settings.skip("reorder_and_upcast_attn", "pad_token_id", *_DROPOUTS)
    settings.require("tie_word_embeddings", True)
    # `n_ctx` is an old name of the size of the mask, and the summary is a head of another class.
    settings.skip("n_ctx", *(name for name in settings.values if name.startswith("summary_")))
    settings.check_all_read()
    return ZooSpec("text/gpt2.net", "network", format_arguments(arguments), (), RULES, settings.list_dropout_notes(*_DROPOUTS))
