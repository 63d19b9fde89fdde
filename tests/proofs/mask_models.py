"""Small models with masks: published specs, and encoders and decoders of transformers with random weights.

In: the name of a model. Out: the model, and the claim about its mask. Always: the same name gives the same weights.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

import netc
from netc.compiler.proofs import Claim

if TYPE_CHECKING:
    from netc.model import Model

PUBLISHED = {
    "bert": ("network 16 2 2",),
    "distilbert": ("network 16 2 2",),
    "roberta": ("network 16 2 2",),
    "t5": ("network 16 2 2 8 32", "encoder_network 16 2 2 8 32", "decoder_network 16 2 2 8 32"),
}
"""The networks of the published specs with a mask, and their sizes. Running decides, so they are small."""

_HIDDEN = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 32}
_GROUPED = _HIDDEN | {"num_key_value_heads": 1, "use_cache": False, "pad_token_id": 0}
_HEADS = _GROUPED | {"head_dim": 8}
_ENDS = _HIDDEN | {"eos_token_id": 49, "bos_token_id": 1, "pad_token_id": 0}
_MODERN = _HIDDEN | dict.fromkeys(("bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 1)
_RELATIVE = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2}
_SIDE = {"layers": 2, "attention_heads": 2, "ffn_dim": 32}
_SIDES = {f"{side}_{part}": size for side in ("encoder", "decoder") for part, size in _SIDE.items()}
_ENCODER = {"d_model": 16, "max_position_embeddings": 32, "pad_token_id": 0} | _SIDES
_SHORT = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "use_cache": False}

IMPORTED: dict[str, dict[str, Any]] = {
    "AlbertModel": _HIDDEN | {"embedding_size": 8},
    "BertModel": _HIDDEN,
    "BertGenerationEncoder": _HIDDEN,
    "CLIPTextModel": _ENDS,
    "CamembertModel": _HIDDEN,
    "ConvBertModel": _HIDDEN | {"embedding_size": 16, "conv_kernel_size": 3},
    "Data2VecTextModel": _HIDDEN,
    "DebertaModel": _HIDDEN | {"relative_attention": False},
    "DebertaV2Model": _HIDDEN | {"pos_att_type": ["c2p", "p2c"], "relative_attention": True},
    "DistilBertModel": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 32},
    "ElectraModel": _HIDDEN | {"embedding_size": 8},
    "ErnieModel": _HIDDEN,
    "EsmModel": _HIDDEN | {"pad_token_id": 0, "mask_token_id": 3},
    "MPNetModel": _HIDDEN,
    "MT5EncoderModel": _RELATIVE,
    "MegatronBertModel": _HIDDEN,
    "MobileBertModel": _HIDDEN | {"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16},
    "ModernBertModel": _MODERN | {"global_attn_every_n_layers": 2, "local_attention": 4, "pad_token_id": 0},
    "RemBertModel": _HIDDEN | {"input_embedding_size": 8, "output_embedding_size": 8},
    "RoFormerModel": _HIDDEN | {"embedding_size": 16},
    "RobertaModel": _HIDDEN,
    "SqueezeBertModel": _HIDDEN
    | {"embedding_size": 16}
    | {f"{part}_groups": 1 for part in ("q", "k", "v", "post_attention", "intermediate", "output")},
    "T5EncoderModel": _RELATIVE,
    "UMT5EncoderModel": _RELATIVE,
    "XLMRobertaModel": _HIDDEN,
    "models.bart.modeling_bart.BartEncoder": _ENCODER,
    "models.marian.modeling_marian.MarianEncoder": _ENCODER,
    "models.mbart.modeling_mbart.MBartEncoder": _ENCODER,
    "models.pegasus.modeling_pegasus.PegasusEncoder": _ENCODER,
    "CodeGenModel": _SHORT | {"n_head": 4, "rotary_dim": 2},
    "GPT2Model": _SHORT,
    "GPTJModel": _SHORT | {"rotary_dim": 4},
    "GPTNeoXModel": _HIDDEN | {"use_cache": False},
    "GemmaModel": _HEADS,
    "LlamaModel": _GROUPED,
    "MistralModel": _GROUPED | {"sliding_window": 3},
    "OPTModel": {name: size for name, size in _HIDDEN.items() if name != "intermediate_size"}
    | {"word_embed_proj_dim": 16, "ffn_dim": 32, "use_cache": False},
    "Qwen2Model": _GROUPED,
    "StableLmModel": _GROUPED,
}
"""Classes of transformers with the sizes of their configurations. Each takes tokens and `attention_mask`."""


def make_published(spec: str, network: str) -> tuple[Model, Claim]:
    """Make a network of a published spec."""
    text = f'use "zoo/text/{spec}.net": {network.split()[0]}\nmodel small = {network} vocabulary=50'
    return netc.compile(text), Claim("ignores", "mask")


def make_imported(name: str) -> tuple[Model, Claim]:
    """Import a model of transformers with random weights."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers", reason="pip install transformers")
    folder, _, cls_name = name.rpartition(".")
    cls = getattr(import_module(f"transformers.{folder}") if folder else transformers, cls_name)
    torch.manual_seed(0)
    module = cls(cls.config_class(**{"vocab_size": 50, **IMPORTED[name]})).eval()
    inputs = {"input_ids": torch.randint(3, 40, (2, 7)), "attention_mask": torch.ones(2, 7, dtype=torch.int64)}
    model = netc.from_torch(module, inputs, {key: ["N", "T"] for key in inputs}, verify=False)
    return model, Claim("ignores", "attention_mask")
