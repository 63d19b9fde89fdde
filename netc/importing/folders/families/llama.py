"""Llama, Mistral, Qwen 2 and Mixtral, by specs/text/llama.net, mistral.net and mixtral.net.

>>> from ..config_settings import ConfigSettings
>>> read_llama(ConfigSettings({"hidden_size": 64, "num_hidden_layers": 2})).path
'text/llama.net'
"""

from __future__ import annotations

from collections.abc import Mapping

from netc.dsl.record import Record

from ..config_settings import ConfigSettings, NotInZoo
from ..weight_names import NameRules, StackRule
from ..zoo_spec import ZooSpec, format_arguments, zoo_family
from .rotary_settings import Rotary, read_rotary

DECODER = NameRules("model.", ("model.",), dropped=(r"rotary_emb\.inv_freq$",))
_EXPERT = r"(?P<start>.*)\.block_sparse_moe\.experts\.(?P<number>\d+)\.(?P<part>%s)\.weight"
MIXTURE = NameRules(
    "model.",
    ("model.",),
    ((r"\.block_sparse_moe\.gate\.", ".mlp.gate."),),
    DECODER.dropped,
    (
        StackRule(_EXPERT % "w[13]", r"\g<start>.mlp.experts.gate_up_proj", ("w1", "w3")),
        StackRule(_EXPERT % "w2", r"\g<start>.mlp.experts.down_proj", ("w2",)),
    ),
)


class Defaults(Record):
    """The settings that a `config.json` may leave out, as transformers fills them in. `shared` is None where it is the number of heads."""

    width: int
    hidden: int
    vocabulary: int
    context: int
    shared: int | None = None
    eps: float = 1e-6
    base: float = 10_000.0


class Decoder(Record):
    """The settings that all of these families have."""

    values: dict[str, float | bool | str | None]
    rotary: Rotary


def _read_decoder(settings: ConfigSettings, defaults: Defaults) -> Decoder:
    width, heads = settings.read_int("hidden_size", defaults.width), settings.read_int("num_attention_heads", 32)
    shared = settings.read_optional_int("num_key_value_heads") if "num_key_value_heads" in settings.values else defaults.shared
    head = settings.read_optional_int("head_dim")
    if head is None and width % heads:
        raise NotInZoo(f"`hidden_size` = {width}")
    rotary = read_rotary(settings, defaults.base, settings.read_int("max_position_embeddings", defaults.context))
    # Tokens of padding have no gradient in transformers; the results are the same.
    settings.skip("pad_token_id", "attention_dropout")
    return Decoder(
        {
            "width": width,
            "depth": settings.read_int("num_hidden_layers", 32),
            "heads": heads,
            "shared_heads": shared or heads,
            "hidden": settings.read_int("intermediate_size", defaults.hidden),
            "vocabulary": settings.read_int("vocab_size", defaults.vocabulary),
            "eps": settings.read_number("rms_norm_eps", defaults.eps),
            "base": rotary.base,
            "rope": rotary.stage,
            "head": None if head is None or head * heads == width else head,
            "tied": settings.read_flag("tie_word_embeddings", False) or None,
        },
        rotary,
    )


def _read_activation(settings: ConfigSettings) -> str | None:
    activation = settings.read_activation("hidden_act", "silu")
    return None if activation == "silu" else activation


def _make_spec(settings: ConfigSettings, path: str, decoder: Decoder, further: Mapping[str, float | bool | str | None]) -> ZooSpec:
    settings.check_all_read()
    notes = settings.list_dropout_notes("attention_dropout")
    return ZooSpec(path, "network", format_arguments({**decoder.values, **further}), decoder.rotary.uses, DECODER, notes)


@zoo_family("LlamaForCausalLM")
def read_llama(settings: ConfigSettings) -> ZooSpec:
    decoder = _read_decoder(settings, Defaults(4096, 11_008, 32_000, 2048))
    bias, mlp_bias = settings.read_flag("attention_bias", False), settings.read_flag("mlp_bias", False)
    settings.skip("pretraining_tp")
    further = {"activation": _read_activation(settings), "bias": bias or None, "mlp_bias": mlp_bias or None}
    return _make_spec(settings, "text/llama.net", decoder, further)


@zoo_family("MistralForCausalLM")
def read_mistral(settings: ConfigSettings) -> ZooSpec:
    decoder = _read_decoder(settings, Defaults(4096, 14_336, 32_000, 4096 * 32, 8))
    window = settings.read_optional_int("sliding_window") if "sliding_window" in settings.values else 4096
    return _make_spec(settings, "text/mistral.net", decoder, {"window": window, "activation": _read_activation(settings)})


@zoo_family("Qwen2ForCausalLM")
def read_qwen2(settings: ConfigSettings) -> ZooSpec:
    """Llama with biases in the projections of queries, keys and values."""
    decoder = _read_decoder(settings, Defaults(4096, 22_016, 151_936, 32_768, 32))
    window = _read_common_window(settings, int(str(decoder.values["depth"])))
    further = {"window": window, "activation": _read_activation(settings), "bias": True, "last_bias": False}
    return _make_spec(settings, "text/llama.net", decoder, further)


def _read_common_window(settings: ConfigSettings, depth: int) -> int | None:
    """Return the window of all layers, None if no layer has one. Raises `NotInZoo` if only some have it."""
    window = settings.read_optional_int("sliding_window") if "sliding_window" in settings.values else 4096
    if not settings.read_flag("use_sliding_window", False):
        window = None
    first = settings.values.get("max_window_layers", 28)
    kinds = settings.values.get("layer_types")
    settings.skip("max_window_layers", "layer_types")
    if kinds is None:
        kinds = ["sliding_attention" if window is not None and index >= first else "full_attention" for index in range(depth)]
    if kinds == ["full_attention"] * depth:
        return None
    if kinds == ["sliding_attention"] * depth and window is not None:
        return window
    raise NotInZoo(f"`layer_types` = {kinds}")


@zoo_family("MixtralForCausalLM")
def read_mixtral(settings: ConfigSettings) -> ZooSpec:
    decoder = _read_decoder(settings, Defaults(4096, 14_336, 32_000, 4096 * 32, 8, 1e-5, 1e6))
    if decoder.rotary.stage is not None:
        raise NotInZoo("`rope_type`")
    settings.require("hidden_act", "silu", "swish")
    settings.require("output_router_logits", False)
    settings.skip("router_aux_loss_coef", "router_jitter_noise")
    further: dict[str, float | bool | str | None] = {
        "experts": settings.read_int("num_local_experts", 8),
        "active": settings.read_int("num_experts_per_tok", 2),
        "window": settings.read_optional_int("sliding_window"),
    }
    settings.check_all_read()
    notes = settings.list_dropout_notes("attention_dropout", "router_jitter_noise")
    return ZooSpec("text/mixtral.net", "network", format_arguments({**decoder.values, **further}), (), MIXTURE, notes)
