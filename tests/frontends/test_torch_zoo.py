"""Published models with random weights: what is imported has their keys and their numbers, at other sizes than the example's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
import transformers as tf
from frontends.imported import agree
from torch import Tensor, nn

pytestmark = pytest.mark.zoo

IMAGES = torchvision.models.list_models(module=torchvision.models)
SEGMENTED = torchvision.models.list_models(module=torchvision.models.segmentation)
UNSTARTED = ("googlenet", "inception_v3")
"""Those that take minutes to draw weights that nobody needs."""


def drawn(module: nn.Module) -> nn.Module:
    """With vectors and statistics that are no zeros and ones."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_(0, 0.2)
    return module


def side(name: str) -> int:
    return 224 if "vit" in name else 128 if "swin" in name else 75 if name == "inception_v3" else 64


@pytest.mark.parametrize("name", IMAGES)
def test_classification(name: str) -> None:
    more = {"init_weights": False} if name in UNSTARTED else {}
    module = drawn(torchvision.models.get_model(name, weights=None, **more))
    found = agree(module, *[torch.randn(n, 3, side(name), side(name)) for n in (2, 1)], onnx=False)
    unread = set(module.state_dict()) - set(found.weights)
    assert all("aux" in key.lower() for key in unread)


@pytest.mark.parametrize("name", SEGMENTED)
def test_segmentation(name: str) -> None:
    module = drawn(torchvision.models.get_model(name, weights=None, weights_backbone=None))
    found = agree(module, *[torch.randn(n, 3, 64, 64) for n in (2, 1)], onnx=False)
    assert found.program.main.output_names[0] == "out_"  # `out` is a word of the language


# --- transformers ------------------------------------------------------------------------------------------------------------

WORDS = 99
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": WORDS,
    "max_position_embeddings": 64,
}
PICTURE: dict[str, Any] = {key: SIZES[key] for key in list(SIZES)[:4]} | {"image_size": 32, "patch_size": 8}
CODER: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
    "vocab_size": WORDS,
}
TOKENS = ["N", "T"]
DECODED = {"input_ids": TOKENS, "decoder_input_ids": ["N", "S"]}


def ids(n: int, length: int) -> Tensor:
    return torch.randint(3, WORDS - 3, (n, length))


def tokens(n: int, length: int) -> dict[str, Any]:
    return {"input_ids": ids(n, length)}


def masked(n: int, length: int) -> dict[str, Any]:
    mask = torch.ones(n, length, dtype=torch.long)
    mask[0, -2:] = 0
    return {"input_ids": ids(n, length), "attention_mask": mask}


def without_cache(n: int, length: int) -> dict[str, Any]:
    return {**masked(n, length), "use_cache": False}


def causal(n: int, length: int) -> dict[str, Any]:
    seen = torch.ones(length, length, dtype=torch.bool).tril().expand(n, 1, length, length).clone()
    return {"input_ids": ids(n, length), "attention_mask": seen, "use_cache": False}


def positions_alone(n: int, length: int) -> dict[str, Any]:
    return {"input_ids": ids(n, length), "use_cache": False}


def both(n: int, length: int) -> dict[str, Any]:
    return {"input_ids": ids(n, length), "decoder_input_ids": ids(n, length + 2), "use_cache": False}


def pictures(n: int, length: int) -> dict[str, Any]:
    return {"pixel_values": torch.randn(n, 3, 32, 32)}


def sounds(n: int, length: int) -> dict[str, Any]:
    return {"input_features": torch.randn(n, 8, 40), "decoder_input_ids": ids(n, length), "use_cache": False}


def words_and_pictures(n: int, length: int) -> dict[str, Any]:
    return {**tokens(n, length), **pictures(n, length)}


SEEN = {"input_ids": TOKENS, "attention_mask": ["N", None, "T", "T"]}
MASKED = {"input_ids": TOKENS, "attention_mask": TOKENS}
SHARED = {**SIZES, "num_key_value_heads": 2}
FAMILIES: dict[str, tuple[Any, Any, Any]] = {
    "bert": (lambda: tf.BertForSequenceClassification(tf.BertConfig(**SIZES)), tokens, {"input_ids": TOKENS}),
    "bert with a mask": (lambda: tf.BertModel(tf.BertConfig(**SIZES)), masked, MASKED),
    "gpt2": (lambda: tf.GPT2LMHeadModel(tf.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=WORDS, n_positions=64)), causal, SEEN),
    "llama": (lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**SHARED)), causal, SEEN),
    "mistral": (lambda: tf.MistralForCausalLM(tf.MistralConfig(**SHARED)), causal, SEEN),
    "qwen2": (lambda: tf.Qwen2ForCausalLM(tf.Qwen2Config(**SHARED)), causal, SEEN),
    "qwen3": (lambda: tf.Qwen3ForCausalLM(tf.Qwen3Config(**SHARED, head_dim=8)), causal, SEEN),
    "gpt_neox": (lambda: tf.GPTNeoXForCausalLM(tf.GPTNeoXConfig(**SIZES)), causal, SEEN),
    "falcon": (
        lambda: tf.FalconForCausalLM(tf.FalconConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=WORDS)),
        causal,
        SEEN,
    ),
    "opt": (
        lambda: tf.OPTForCausalLM(
            tf.OPTConfig(
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=4,
                ffn_dim=48,
                vocab_size=WORDS,
                max_position_embeddings=64,
                word_embed_proj_dim=32,
            )
        ),
        without_cache,
        MASKED,
    ),
    "bloom": (lambda: tf.BloomForCausalLM(tf.BloomConfig(hidden_size=32, n_layer=2, n_head=4, vocab_size=WORDS)), without_cache, MASKED),
    "t5": (
        # the first layer of a stack is another one, which has the bias of all: two are left that are alike
        lambda: tf.T5ForConditionalGeneration(tf.T5Config(d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4, vocab_size=WORDS)),
        both,
        DECODED,
    ),
    "bart": (lambda: tf.BartForConditionalGeneration(tf.BartConfig(**CODER, max_position_embeddings=64)), both, DECODED),
    "vit": (lambda: tf.ViTForImageClassification(tf.ViTConfig(**PICTURE)), pictures, None),
    "deit": (lambda: tf.DeiTForImageClassificationWithTeacher(tf.DeiTConfig(**PICTURE)), pictures, None),
    "distilbert": (
        lambda: tf.DistilBertModel(tf.DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=48, vocab_size=WORDS)),
        tokens,
        {"input_ids": TOKENS},
    ),
    "roberta": (lambda: tf.RobertaForMaskedLM(tf.RobertaConfig(**SIZES)), masked, MASKED),
    "electra": (lambda: tf.ElectraForPreTraining(tf.ElectraConfig(**SIZES, embedding_size=16)), tokens, {"input_ids": TOKENS}),
    "albert": (lambda: tf.AlbertModel(tf.AlbertConfig(**SIZES, embedding_size=16)), tokens, {"input_ids": TOKENS}),
    "deberta": (
        lambda: tf.DebertaV2Model(tf.DebertaV2Config(**SIZES, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8)),
        masked,
        MASKED,
    ),
    "modernbert": (lambda: tf.ModernBertModel(tf.ModernBertConfig(**SIZES, pad_token_id=0)), tokens, {"input_ids": TOKENS}),
    "mpnet": (lambda: tf.MPNetModel(tf.MPNetConfig(**SIZES)), tokens, {"input_ids": TOKENS}),
    "whisper": (
        lambda: tf.WhisperForConditionalGeneration(
            tf.WhisperConfig(
                **CODER,
                num_mel_bins=8,
                max_source_positions=20,
                max_target_positions=32,
                pad_token_id=0,
                bos_token_id=1,
                eos_token_id=2,
                decoder_start_token_id=1,
                suppress_tokens=None,
                begin_suppress_tokens=None,
            )
        ),
        sounds,
        {"decoder_input_ids": TOKENS},
    ),
    "clip": (
        lambda: tf.CLIPModel(
            tf.CLIPConfig(
                text_config={**SIZES, "max_position_embeddings": 16, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0},
                vision_config=PICTURE,
                projection_dim=16,
            )
        ),
        words_and_pictures,
        {"input_ids": TOKENS},
    ),
    "convnext": (
        lambda: tf.ConvNextForImageClassification(tf.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1])),
        pictures,
        None,
    ),
    "resnet": (
        lambda: tf.ResNetForImageClassification(tf.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1])),
        pictures,
        None,
    ),
    "llama without a mask": (lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**SHARED)), positions_alone, {"input_ids": TOKENS}),
    "gpt2 without a mask": (
        lambda: tf.GPT2LMHeadModel(tf.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=WORDS, n_positions=64)),
        positions_alone,
        {"input_ids": TOKENS},
    ),
    "gemma": (lambda: tf.GemmaForCausalLM(tf.GemmaConfig(**SHARED, head_dim=8)), positions_alone, {"input_ids": TOKENS}),
    "mt5": (
        lambda: tf.MT5ForConditionalGeneration(tf.MT5Config(d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=4, vocab_size=WORDS)),
        both,
        DECODED,
    ),
    "marian": (
        lambda: tf.MarianMTModel(tf.MarianConfig(**CODER, max_position_embeddings=64, pad_token_id=1, decoder_start_token_id=1)),
        both,
        DECODED,
    ),
    "swin": (
        lambda: tf.SwinModel(tf.SwinConfig(image_size=32, patch_size=2, embed_dim=12, depths=[2, 4], num_heads=[2, 3], window_size=4)),
        pictures,
        None,
    ),
    "segformer": (
        lambda: tf.SegformerForSemanticSegmentation(
            tf.SegformerConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], decoder_hidden_size=16)
        ),
        pictures,
        None,
    ),
}


@pytest.mark.parametrize("family", FAMILIES.keys())
def test_transformers(family: str) -> None:
    make, inputs, dims = FAMILIES[family]
    torch.manual_seed(0)
    module = drawn(make().eval())
    found = agree(module, inputs(2, 7), inputs(3, 9), inputs(1, 5), dims=dims, onnx=False)
    assert set(found.weights) <= set(module.state_dict())
