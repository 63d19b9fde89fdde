"""Random settings of each family, by the names of transformers. The first value of each is the usual one."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

Draw = Callable[[random.Random], Any]


def one_of(*values: Any) -> Draw:
    """One of these values, the usual one first. An ellipsis stands for a setting that is not there."""
    return lambda rng: rng.choice(values)


def rope(rng: random.Random) -> dict[str, Any]:
    base = {"rope_theta": rng.choice((10_000.0, 500_000.0, 137.0))}
    trained = {"original_max_position_embeddings": rng.choice((16, 32))}
    kind = rng.choice(("default", "linear", "llama3", "yarn"))
    match kind:
        case "linear":
            return {**base, "rope_type": kind, "factor": rng.choice((1.0, 2.5, 8.0))}
        case "llama3":
            factors = {"factor": 8.0, "low_freq_factor": rng.choice((1.0, 0.5)), "high_freq_factor": rng.choice((4.0, 9.0))}
            return {**base, **trained, **factors, "rope_type": kind}
        case "yarn":
            more = {"attention_factor": 0.8, "beta_fast": 20, "beta_slow": 2, "truncate": False, "mscale": 0.7, "mscale_all_dim": 0.4}
            chosen = {key: value for key, value in more.items() if rng.random() < 0.4}
            return {**base, **trained, **chosen, "rope_type": kind, "factor": rng.choice((1.0, 4.0))}
    return {**base, "rope_type": kind}


IGNORED: dict[str, Draw] = {
    "initializer_range": one_of(0.05, 0.3),
    "use_cache": one_of(True, False),
    "bos_token_id": one_of(1, 7, None),
    "eos_token_id": one_of(2, [2, 5], None),
}
"""Settings that change the results of no family."""
PADDED: dict[str, Draw] = IGNORED | {"pad_token_id": one_of(0, 3, None)}
DECODER: dict[str, Draw] = PADDED | {
    "vocab_size": one_of(99, 120),
    "hidden_size": one_of(32, 48),
    "intermediate_size": one_of(40, 48),
    "num_hidden_layers": one_of(1, 2, 3),
    "num_attention_heads": one_of(4, 8),
    "num_key_value_heads": one_of(None, 1, 2, 4),
    "head_dim": one_of(None, 6, 16),
    "hidden_act": one_of("silu", "gelu", "relu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "tanh"),
    "max_position_embeddings": one_of(24, 64),
    "rms_norm_eps": one_of(1e-6, 1e-3, 0.1),
    "tie_word_embeddings": one_of(True, False),
    "attention_dropout": one_of(0.0, 0.1),
    "rope_parameters": rope,
}
MISTRAL = DECODER | {"sliding_window": one_of(None, 3, 7)}
QWEN2 = DECODER | {
    "head_dim": one_of(..., 6, 16),
    "use_sliding_window": one_of(True, False),
    "sliding_window": one_of(3, 7),
    "max_window_layers": one_of(0, 1, 28),
    "layer_types": one_of(None),
}
MIXTRAL = MISTRAL | {
    "num_local_experts": one_of(3, 4),
    "num_experts_per_tok": one_of(1, 2, 3),
    "output_router_logits": one_of(False, True),
    "router_aux_loss_coef": one_of(0.001, 0.5),
    "router_jitter_noise": one_of(0.0, 0.1),
}
GPT2 = PADDED | {
    "vocab_size": one_of(99, 120),
    "n_positions": one_of(24, 64),
    "n_embd": one_of(32, 48),
    "n_layer": one_of(1, 2, 3),
    "n_head": one_of(2, 4),
    "n_inner": one_of(None, 40),
    "activation_function": one_of("gelu_new", "gelu", "relu", "silu", "tanh"),
    "resid_pdrop": one_of(0.0, 0.1),
    "embd_pdrop": one_of(0.0, 0.1),
    "attn_pdrop": one_of(0.0, 0.1),
    "layer_norm_epsilon": one_of(1e-5, 0.1),
    "summary_type": one_of("cls_index", "mean"),
    "summary_use_proj": one_of(True, False),
    "summary_activation": one_of(None, "tanh"),
    "summary_proj_to_labels": one_of(True, False),
    "summary_first_dropout": one_of(0.1, 0.0),
    "scale_attn_weights": one_of(True, True, False),
    "scale_attn_by_inverse_layer_idx": one_of(False, False, True),
    "reorder_and_upcast_attn": one_of(False, True),
    "add_cross_attention": one_of(False),
    "tie_word_embeddings": one_of(True, True, False),
}
MAMBA = PADDED | {
    "vocab_size": one_of(99, 120),
    "hidden_size": one_of(32, 48),
    "state_size": one_of(4, 7),
    "num_hidden_layers": one_of(1, 2),
    "layer_norm_epsilon": one_of(1e-5, 0.1),
    "expand": one_of(2, 2, 3),
    "conv_kernel": one_of(2, 4),
    "use_bias": one_of(False, False, True),
    "use_conv_bias": one_of(True, True, False),
    "hidden_act": one_of("silu", "silu", "gelu"),
    "residual_in_fp32": one_of(True, False),
    "time_step_rank": one_of("auto", 5),
    "time_step_scale": one_of(1.0, 2.0),
    "time_step_min": one_of(0.001, 0.01),
    "time_step_max": one_of(0.1, 0.5),
    "time_step_init_scheme": one_of("random", "constant"),
    "time_step_floor": one_of(1e-4, 1e-3),
    "rescale_prenorm_residual": one_of(False, True),
    "use_mambapy": one_of(False),
    "use_associative_scan": one_of(True, False),
    "tie_word_embeddings": one_of(True, True, False),
}
RWKV = IGNORED | {
    "vocab_size": one_of(99, 120),
    "context_length": one_of(64, 1024),
    "hidden_size": one_of(32, 48),
    "num_hidden_layers": one_of(2, 3, 4),
    "attention_hidden_size": one_of(None, None, 40),
    "intermediate_size": one_of(None, 40),
    "layer_norm_epsilon": one_of(1e-5, 0.1),
    "rescale_every": one_of(6, 1, 2, 0),
    "tie_word_embeddings": one_of(False, False, True),
}
BERT = IGNORED | {
    "vocab_size": one_of(99, 120),
    "hidden_size": one_of(32, 48),
    "num_hidden_layers": one_of(1, 2),
    "num_attention_heads": one_of(2, 4),
    "intermediate_size": one_of(40, 48),
    "hidden_act": one_of("gelu", "gelu", "relu", "gelu_new"),
    "hidden_dropout_prob": one_of(0.0, 0.1),
    "attention_probs_dropout_prob": one_of(0.0, 0.1),
    "max_position_embeddings": one_of(24, 64),
    "type_vocab_size": one_of(1, 2, 3),
    "layer_norm_eps": one_of(1e-12, 0.1),
    "pad_token_id": one_of(0, 0, 3),
    "classifier_dropout": one_of(None, 0.1),
    "is_decoder": one_of(False, False, False, True),
    "add_cross_attention": one_of(False),
    "tie_word_embeddings": one_of(True, False),
}
ROBERTA = BERT | {"pad_token_id": one_of(1, 3), "max_position_embeddings": one_of(32, 64), "type_vocab_size": one_of(1, 1, 2)}
DISTILBERT = IGNORED | {
    "vocab_size": one_of(99, 120),
    "max_position_embeddings": one_of(24, 64),
    "sinusoidal_pos_embds": one_of(False, False, True),
    "n_layers": one_of(1, 2),
    "n_heads": one_of(2, 4),
    "dim": one_of(32, 48),
    "hidden_dim": one_of(40, 48),
    "dropout": one_of(0.0, 0.1),
    "attention_dropout": one_of(0.0, 0.1),
    "activation": one_of("gelu", "gelu", "relu"),
    "qa_dropout": one_of(0.1, 0.2),
    "seq_classif_dropout": one_of(0.1, 0.2),
    "pad_token_id": one_of(0, 0, 3),
    "tie_word_embeddings": one_of(True, False),
}
T5 = {
    "vocab_size": one_of(99, 120),
    "d_model": one_of(32, 48),
    "d_kv": one_of(6, 8),
    "d_ff": one_of(40, 48),
    "num_layers": one_of(1, 2),
    "num_decoder_layers": one_of(None, None, 3),
    "num_heads": one_of(2, 4),
    "relative_attention_num_buckets": one_of(32, 32, 16),
    "relative_attention_max_distance": one_of(128, 128, 20),
    "dropout_rate": one_of(0.0, 0.1),
    "layer_norm_epsilon": one_of(1e-6, 1e-6, 0.1),
    "initializer_factor": one_of(1.0, 2.0),
    "feed_forward_proj": one_of("relu", "relu", "gated-gelu", "gelu"),
    "is_encoder_decoder": one_of(True),
    "use_cache": one_of(True, False),
    "pad_token_id": one_of(0),
    "eos_token_id": one_of(1, 5),
    "classifier_dropout": one_of(0.0, 0.1),
    "is_decoder": one_of(False),
    "tie_word_embeddings": one_of(True, True, False),
}
WHISPER = {
    "vocab_size": one_of(99, 120),
    "num_mel_bins": one_of(8, 12),
    "encoder_layers": one_of(2, 2, 1),
    "encoder_attention_heads": one_of(4, 4, 2),
    "decoder_layers": one_of(2),
    "decoder_attention_heads": one_of(4),
    "decoder_ffn_dim": one_of(48),
    "encoder_ffn_dim": one_of(48, 48, 40),
    "encoder_layerdrop": one_of(0.0, 0.1),
    "decoder_layerdrop": one_of(0.0, 0.1),
    "decoder_start_token_id": one_of(1, 4),
    "use_cache": one_of(True, False),
    "is_encoder_decoder": one_of(True),
    "activation_function": one_of("gelu", "gelu", "relu"),
    "d_model": one_of(32, 48),
    "dropout": one_of(0.0, 0.1),
    "attention_dropout": one_of(0.0, 0.1),
    "activation_dropout": one_of(0.0, 0.1),
    "init_std": one_of(0.02, 0.1),
    "scale_embedding": one_of(False, False, True),
    "max_source_positions": one_of(20, 30),
    "max_target_positions": one_of(24, 32),
    "pad_token_id": one_of(0, 5),
    "bos_token_id": one_of(1),
    "eos_token_id": one_of(2),
    "suppress_tokens": one_of(None, [3, 4]),
    "begin_suppress_tokens": one_of(None, [5]),
    "use_weighted_layer_sum": one_of(False, True),
    "classifier_proj_size": one_of(256, 16),
    "apply_spec_augment": one_of(False, True),
    "mask_time_prob": one_of(0.05, 0.5),
    "mask_time_length": one_of(10, 2),
    "mask_time_min_masks": one_of(2, 1),
    "mask_feature_prob": one_of(0.0, 0.5),
    "mask_feature_length": one_of(10, 2),
    "mask_feature_min_masks": one_of(0, 1),
    "median_filter_width": one_of(7, 3),
    "tie_word_embeddings": one_of(True, True, False),
}
VIT = {
    "hidden_size": one_of(32, 48),
    "num_hidden_layers": one_of(1, 2),
    "num_attention_heads": one_of(2, 4),
    "intermediate_size": one_of(40, 48),
    "hidden_act": one_of("gelu", "gelu", "relu"),
    "hidden_dropout_prob": one_of(0.0, 0.1),
    "attention_probs_dropout_prob": one_of(0.0, 0.1),
    "initializer_range": one_of(0.02, 0.1),
    "layer_norm_eps": one_of(1e-12, 0.1),
    "image_size": one_of(24, 32, [24, 24], [24, 32]),
    "patch_size": one_of(8, [8, 8]),
    "num_channels": one_of(3, 3, 1),
    "qkv_bias": one_of(True, True, False),
    "encoder_stride": one_of(16, 8),
    "pooler_output_size": one_of(None, 12),
    "pooler_act": one_of("tanh", "relu"),
    "num_labels": one_of(2, 5),
}

TOWER: dict[str, Draw] = {
    "hidden_size": one_of(32, 48),
    "intermediate_size": one_of(40, 48),
    "num_hidden_layers": one_of(1, 2),
    "num_attention_heads": one_of(2, 4),
    "hidden_act": one_of("quick_gelu", "quick_gelu", "quick_gelu", "gelu"),
    "layer_norm_eps": one_of(1e-5, 1e-5, 1e-5, 0.1),
    "attention_dropout": one_of(0.0, 0.1),
    "projection_dim": one_of(512, 20),
    "initializer_range": one_of(0.02, 0.1),
    "initializer_factor": one_of(1.0, 2.0),
}
TEXT_TOWER = TOWER | {
    "vocab_size": one_of(99, 120),
    "max_position_embeddings": one_of(24, 40),
    "pad_token_id": one_of(1, 5),
    "bos_token_id": one_of(1, 7),
    "eos_token_id": one_of(98, 2, 60),
}
VISION_TOWER = TOWER | {"num_channels": one_of(3, 3, 3, 1), "image_size": one_of(24, 32), "patch_size": one_of(8)}
CLIP: dict[str, Draw] = {
    "text_config": lambda rng: draw_settings(TEXT_TOWER, rng, 0.3),
    "vision_config": lambda rng: draw_settings(VISION_TOWER, rng, 0.3),
    "projection_dim": one_of(16, 24),
    "logit_scale_init_value": one_of(2.6592, 1.0),
    "initializer_factor": one_of(1.0, 2.0),
}


def draw_settings(draws: Mapping[str, Draw], rng: random.Random, changed: float) -> dict[str, Any]:
    """Settings of which the share `changed` is drawn, and the others are the usual ones: the first values."""
    first = random.Random()
    first.choice = lambda values: values[0]  # type: ignore[method-assign, assignment]
    first.random = lambda: 1.0  # type: ignore[method-assign]
    drawn = {name: draw(rng if rng.random() < changed else first) for name, draw in draws.items()}
    return {name: value for name, value in drawn.items() if value is not ...}
