"""Folders of small networks for the tests, and the same networks in transformers.

Each reference of transformers has random weights, from which netc writes a folder. So the reference judges everything that the folder's own
classes compute.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    ViTConfig,
    ViTForImageClassification,
)
from transformers.utils import logging

import netc
from netc.compiler.errors.weight_errors import WeightsNote
from netc.dsl.record import Record

SPECS = Path(__file__).parents[2] / "specs"
VOCABULARY = 99


def draw_weights(model: PreTrainedModel) -> PreTrainedModel:
    """Draw all parameters, so that no norm is 1 and no bias 0."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            scale = 1 / parameter.shape[-1] ** 0.5 if parameter.dim() > 1 else 0.2
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale + (parameter.dim() == 1 and "norm" in name))
    return model.eval()


def make_llama(**changes: Any) -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
    special = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    config = LlamaConfig(vocab_size=VOCABULARY, rms_norm_eps=1e-5, **{**sizes, **special, **changes})
    return draw_weights(LlamaForCausalLM(config))


def make_mistral(window: int) -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
    config = MistralConfig(
        vocab_size=VOCABULARY, rms_norm_eps=1e-5, sliding_window=window, bos_token_id=1, eos_token_id=2, pad_token_id=0, **sizes
    )
    return draw_weights(MistralForCausalLM(config))


def make_gpt2() -> PreTrainedModel:
    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2, pad_token_id=0
    )
    return draw_weights(GPT2LMHeadModel(config))


def compile_llama(**changes: Any) -> netc.Model:
    sizes = {"width": 32, "depth": 2, "heads": 4, "shared_heads": 2, "hidden": 48, "vocabulary": VOCABULARY}
    return netc.compile_file(SPECS / "text/llama.net", model="network", params={**sizes, **changes})


def compile_gpt2() -> netc.Model:
    sizes = {"width": 32, "depth": 2, "heads": 4, "vocabulary": VOCABULARY, "context": 64}
    return netc.compile_file(SPECS / "text/gpt2.net", model="network", params=sizes)


BERT = """
use "text/bert.net": embeddings, encoder
use "std/embedding.net": positions

block bert(tokens: [N, T], segments: [N, T], mask: [N, T], width, depth, heads, hidden, vocabulary, context, eps) {
  h = (tokens, segments, tokens -> positions) -> embeddings width vocabulary context 2 0 eps as embeddings
  (h, mask) -> encoder depth heads hidden eps as encoder
}

block predictions(vocabulary, eps) {
  in -> (dense in.features gelu as dense -> layer_norm eps=eps as LayerNorm) as transform -> dense vocabulary as decoder
}

model network(width=32, depth=2, heads=4, hidden=64, vocabulary=99, context=40, eps=1e-12) {
  default dense init=normal(0.02) bias_init=zeros
  default embedding init=normal(0.02)
  tokens = input [T] int64 where T <= context
  segments = input [T] int64
  mask = input [T] bool
  (tokens, segments, mask)
    -> bert width depth heads hidden vocabulary context eps as bert
    -> (predictions vocabulary eps as predictions) as cls
}
"""


def make_bert() -> PreTrainedModel:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "max_position_embeddings": 40}
    config = BertConfig(vocab_size=VOCABULARY, pad_token_id=0, tie_word_embeddings=False, **sizes)
    return draw_weights(BertForMaskedLM(config))


def compile_bert() -> netc.Model:
    return netc.compile(BERT.replace('"text/', f'"{SPECS}/text/'), allow_paths=[SPECS])


def make_vit() -> PreTrainedModel:
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 128,
        "image_size": 32,
        "patch_size": 8,
    }
    return draw_weights(ViTForImageClassification(ViTConfig(num_labels=7, **sizes)))


def compile_vit() -> netc.Model:
    sizes = {"patch": 8, "width": 32, "depth": 2, "heads": 4, "classes": 7, "size": 32}
    return netc.compile_file(SPECS / "vision/vit_transformers.net", model="network", params=sizes)


def save_reference(reference: PreTrainedModel, folder: Path) -> None:
    """Write the configuration and the weights, under the names that the modules have now. `save_pretrained` writes older ones for some."""
    reference.config.save_pretrained(folder)
    # BERT keeps a second bias of its head, which is this one if they are tied, and unused otherwise
    weights = {name: tensor.clone() for name, tensor in reference.state_dict().items() if name != "cls.predictions.bias"}
    save_file(weights, folder / "model.safetensors")


def save_folder(model: netc.Model, reference: PreTrainedModel, folder: Path) -> Path:
    """Write the folder of a network with the weights of the reference, next to the reference's own folder."""
    logging.disable_progress_bar()
    checkpoint = folder / "reference"
    save_reference(reference, checkpoint)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WeightsNote)
        model.save_for("transformers", folder / "netc", checkpoint)
    return folder / "netc"


def draw_tokens(*shape: int) -> torch.Tensor:
    return torch.randint(3, VOCABULARY, shape, generator=torch.Generator().manual_seed(1))


def draw_text(batch: int, length: int) -> dict[str, torch.Tensor]:
    """Draw tokens with padding at the end of all samples but the last, as transformers' own tests do."""
    return {"input_ids": draw_tokens(batch, length), "attention_mask": torch.ones(batch, length, dtype=torch.int64).tril(length - batch)}


def draw_images(batch: int, length: int) -> dict[str, torch.Tensor]:
    return {"pixel_values": torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(1))}


class Family(Record):
    """A small network in netc and in transformers. `draw_inputs` draws inputs of a batch and a length. `settings` are the attributes that
    transformers' own tests have for such a model."""

    compile: Callable[[], netc.Model]
    reference: Callable[[], PreTrainedModel]
    draw_inputs: Callable[[int, int], dict[str, torch.Tensor]] = draw_text
    settings: Mapping[str, Any] = {}

    def save(self, folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        return save_folder(self.compile(), self.reference(), folder)


def check_first_layer(test: Any) -> None:
    """Check what transformers' tests of ViT check in place of the embeddings of tokens."""
    config, _ = test.model_tester.prepare_config_and_inputs_for_common()
    for model_class in test.all_model_classes:
        model = model_class(config)
        assert isinstance(model.get_input_embeddings(), torch.nn.Conv2d)
        assert model.get_output_embeddings() is None


VISION = {"test_resize_embeddings": False, "test_model_get_set_embeddings": check_first_layer, "length": 17}
FOLDERS = {
    "llama": Family(compile_llama, make_llama),
    "mistral": Family(lambda: compile_llama(window=64), lambda: make_mistral(64)),
    "window": Family(lambda: compile_llama(window=4), lambda: make_mistral(4)),
    "gpt2": Family(compile_gpt2, make_gpt2),
    "bert": Family(compile_bert, make_bert),
    "vit": Family(compile_vit, make_vit, draw_images, VISION),
}
LANGUAGE_MODELS = ("llama", "window", "gpt2")
SUITE = ("llama", "mistral", "gpt2", "bert", "vit")
"""The families on which the tests of transformers run. They fail for a window that is shorter than a text, also for transformers' own
Mistral."""
