"""RWKV 4, by specs/text/rwkv.net.

>>> from ..config_settings import ConfigSettings
>>> read_rwkv(ConfigSettings({"hidden_size": 64, "num_hidden_layers": 2})).arguments
{'width': '64', 'depth': '2', 'vocabulary': '50_277', 'eps': '1e-5'}
"""

from __future__ import annotations

from ..config_settings import ConfigSettings
from ..weight_names import NameRules
from ..zoo_spec import ZooSpec, format_arguments, zoo_family

RULES = NameRules("rwkv.", ("rwkv.",))


@zoo_family("RwkvForCausalLM")
def read_rwkv(settings: ConfigSettings) -> ZooSpec:
    width = settings.read_int("hidden_size", 4096)
    settings.require("attention_hidden_size", width)
    settings.require("tie_word_embeddings", False)
    depth = settings.read_int("num_hidden_layers", 32)
    hidden = settings.read_optional_int("intermediate_size")
    rescale = settings.read_count("rescale_every", 6)
    # The context is the length of a buffer of transformers' CUDA kernel.
    settings.skip("context_length", "max_position_embeddings", "pad_token_id")
    arguments = {
        "width": width,
        "depth": depth,
        "vocabulary": settings.read_int("vocab_size", 50_277),
        "hidden": None if hidden == 4 * width else hidden,
        "eps": settings.read_number("layer_norm_epsilon", 1e-5),
        # With fewer layers, nothing is rescaled.
        "rescale": rescale if 0 < rescale <= depth else None,
    }
    settings.check_all_read()
    return ZooSpec("text/rwkv.net", "network", format_arguments(arguments), (), RULES)
