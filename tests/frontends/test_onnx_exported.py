"""Files that PyTorch's two exporters write, for models that people know."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from frontends.onnx_parity import same
from torch import nn
from torchvision import models as vision
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

pytestmark = pytest.mark.long

TOKENS = 96
SMALL: dict[str, Any] = {"vocab_size": TOKENS, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


class Text(nn.Module):
    """A model of transformers whose result is one tensor."""

    def __init__(self, inner: nn.Module, **options: Any) -> None:
        super().__init__()
        self.inner = inner
        self.options = options

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        made = self.inner(input_ids=ids, **self.options)
        return made.logits if hasattr(made, "logits") else made.last_hidden_state  # type: ignore[no-any-return]


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(8, 16, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(32, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(x)[0])  # type: ignore[no-any-return]


IMAGE, WORDS = (2, 3, 64, 64), (2, 9)
MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "resnet18": (vision.resnet18, IMAGE),
    "mobilenet_v3_small": (vision.mobilenet_v3_small, IMAGE),
    "squeezenet1_1": (vision.squeezenet1_1, IMAGE),
    "efficientnet_b0": (vision.efficientnet_b0, IMAGE),
    "lraspp": (lambda: vision.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None), IMAGE),
    "vit": (lambda: vision.VisionTransformer(32, 8, 2, 4, 32, 64), (2, 3, 32, 32)),
    "bert": (lambda: Text(BertModel(BertConfig(**SMALL))), WORDS),
    "distilbert": (lambda: Text(DistilBertModel(DistilBertConfig(vocab_size=TOKENS, dim=32, n_layers=2, n_heads=4, hidden_dim=48))), WORDS),
    "gpt2": (lambda: Text(GPT2LMHeadModel(GPT2Config(vocab_size=TOKENS, n_embd=32, n_layer=2, n_head=4)), use_cache=False), WORDS),
    "llama": (lambda: Text(LlamaForCausalLM(LlamaConfig(**SMALL, num_key_value_heads=2)), use_cache=False), WORDS),
    "lstm": (Tagger, (2, 7, 8)),
}
OLD_EXPORTER_CANNOT = ("gpt2", "llama")


def exported(model: nn.Module, example: torch.Tensor, path: Path, *, dynamo: bool) -> None:
    """Writes the file, with the batch dynamic, and the length of texts and sequences."""
    longer = len(example.shape) < 4
    if dynamo:
        axes: dict[int, Any] = {0: torch.export.Dim("batch")} | ({1: torch.export.Dim("length", min=2, max=512)} if longer else {})
        options: dict[str, Any] = {"dynamic_shapes": (axes,), "external_data": False}
    else:
        options = {"dynamic_axes": {"x": {0: "batch"} | ({1: "length"} if longer else {})}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (example,), path, dynamo=dynamo, input_names=["x"], verbose=False, **options)


@pytest.mark.thorough(2)
@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "script"])
@pytest.mark.parametrize("name", MODELS)
def test_exported_models(name: str, dynamo: bool, tmp_path: Path) -> None:
    if name in OLD_EXPORTER_CANNOT and not dynamo:
        pytest.skip("PyTorch's old exporter does not write it")
    build, shape = MODELS[name]
    torch.manual_seed(0)
    model = build().eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 1.5)
    example = torch.randint(0, 90, shape) if len(shape) == 2 else torch.randn(shape)
    path = tmp_path / "x.onnx"
    exported(model, example, path, dynamo=dynamo)
    made = same(path, limits={"x": 90})
    assert {type(value.type.shape[0]) for value in made.program.main.inputs} != {int}
    known = set(model.state_dict())
    weights = {key for key in made.weights if key.endswith("weight")}
    assert len(weights & known) >= 0.75 * len(weights)
