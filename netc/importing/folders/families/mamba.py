"""Mamba, by specs/text/mamba.net.

>>> from ..config_settings import ConfigSettings
>>> read_mamba(ConfigSettings({"hidden_size": 64, "num_hidden_layers": 2})).arguments
{'width': '64', 'depth': '2', 'vocabulary': '50_280', 'size': '16', 'kernel': '4', 'eps': '1e-5'}
"""

from __future__ import annotations

from math import ceil

from ..config_settings import ConfigSettings, NotInZoo
from ..weight_names import NameRules
from ..zoo_spec import ZooSpec, format_arguments, zoo_family

RULES = NameRules("backbone.", ("backbone.", "model."), ((r"backbone\.embedding\.", "backbone.embeddings."),))


@zoo_family("MambaForCausalLM")
def read_mamba(settings: ConfigSettings) -> ZooSpec:
    width = settings.read_int("hidden_size", 768)
    settings.require("expand", 2)
    # transformers computes it from `expand`, whatever the file says.
    settings.skip("intermediate_size")
    settings.require("use_bias", False)
    settings.require("use_conv_bias", True)
    settings.require("hidden_act", "silu", "swish")
    settings.require("tie_word_embeddings", True)
    # Initial values, and the way in which the same recurrence is computed.
    settings.skip("pad_token_id", "rescale_prenorm_residual", "residual_in_fp32", "use_mambapy", "use_associative_scan")
    settings.skip(*(name for name in settings.values if name.startswith("time_step_")))
    rank = settings.values.get("time_step_rank", "auto")
    if rank != "auto" and (isinstance(rank, bool) or not isinstance(rank, int) or rank < 1):
        raise NotInZoo(f"`time_step_rank` = {rank}")
    arguments = {
        "width": width,
        "depth": settings.read_int("num_hidden_layers", 32),
        "vocabulary": settings.read_int("vocab_size", 50_280),
        "size": settings.read_int("state_size", 16),
        "kernel": settings.read_int("conv_kernel", 4),
        "rank": None if rank in ("auto", ceil(width / 16)) else rank,
        "eps": settings.read_number("layer_norm_epsilon", 1e-5),
    }
    settings.check_all_read()
    return ZooSpec("text/mamba.net", "network", format_arguments(arguments), (), RULES)
