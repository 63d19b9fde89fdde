"""Models of torchvision and transformers in bfloat16 and float16, converted by their own means: the weights are theirs, in their type."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from zoo.catalogue import SPECS
from zoo.parity import scatter
from zoo.small import SMALL

import netc

pytestmark = pytest.mark.long
ROUNDINGS = 8
"""Between two computations that are each this far from float32, at most twice as much (test_zoo.py)."""
LLAMA = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
}
GPT2 = {"vocab_size": 96, "n_positions": 32, "n_embd": 24, "n_layer": 2, "n_head": 3, "n_inner": 72, "bos_token_id": 0, "eos_token_id": 0}


def assert_near(found: torch.Tensor, wanted: torch.Tensor, exact: torch.Tensor) -> None:
    assert found.dtype == wanted.dtype
    unit = torch.finfo(found.dtype).eps * float(exact.abs().max())
    for one in (found, wanted):
        assert float((one.float() - exact).abs().max()) <= ROUNDINGS * unit
    assert float((found.float() - wanted.float()).abs().max()) <= 2 * ROUNDINGS * unit


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", ["resnet18", "convnext_tiny", "vit_b_32"])
def test_torchvision(name: str, dtype: torch.dtype) -> None:
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    reference = getattr(torchvision.models, name)().eval()
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        exact = reference(x)
        reference = reference.to(dtype)
        wanted = reference(x.to(dtype))
        spec = {"vit_b_32": "vit", "convnext_tiny": "convnext"}.get(name, "resnet")
        model = netc.compile_file(SPECS / f"vision/{spec}.net", model=name, dtype=dtype)
        found = model.module(weights=reference.state_dict()).eval()(x.to(dtype))
    assert_near(found, wanted, exact)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize(("name", "kind", "sizes"), [("llama", "LlamaForCausalLM", LLAMA), ("gpt2", "GPT2LMHeadModel", GPT2)])
def test_transformers(name: str, kind: str, sizes: dict[str, Any], dtype: torch.dtype) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    built = getattr(transformers, kind)
    reference = scatter(built(built.config_class(**sizes))).eval()
    tokens = torch.randint(96, (3, 24))
    with torch.no_grad():
        exact = reference(input_ids=tokens).logits
        reference = reference.to(dtype)
        wanted = reference(input_ids=tokens).logits
        found = SMALL[name].compiled(str(dtype).removeprefix("torch.")).module(weights=reference.state_dict()).eval()(tokens)
    assert_near(found, wanted, exact)
