"""specs/text/mamba.net against transformers, whose slow path is the reference: a small configuration by number, the published ones by the
names and shapes of their parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, same_parameters, scatter, tokens
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

PUBLISHED = {
    "mamba_130m": (768, 24),
    "mamba_370m": (1024, 48),
    "mamba_790m": (1536, 48),
    "mamba_1_4b": (2048, 48),
    "mamba_2_8b": (2560, 64),
}


def logits(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(input_ids=inputs["tokens"], use_cache=False).logits


def test_small_mamba(tmp_path: Path) -> None:
    """A text of one token, and texts shorter and longer than the kernel of the convolution."""
    torch.manual_seed(0)
    config = transformers.MambaConfig(vocab_size=96, hidden_size=32, num_hidden_layers=2, state_size=5)
    reference = scatter(transformers.MambaForCausalLM(config))
    check(
        "text/mamba.net",
        "network",
        reference,
        tokens(96, (1, 9), (1, 1), (3, 2), (2, 40)),
        tmp_path,
        call=logits,
        params=SMALL["mamba"].params,
    )


@pytest.mark.zoo
def test_mamba_130m(tmp_path: Path) -> None:
    """With random weights, 24 layers amplify rounding: the reference itself is 2.3e-4 off what the module computes in float64, the Flax
    module 3.1e-4 and the MLX module 4.4e-4."""
    torch.manual_seed(0)
    reference = scatter(transformers.MambaForCausalLM(transformers.MambaConfig(num_hidden_layers=24)))
    batches = tokens(50_280, (1, 16), (2, 5))
    check("text/mamba.net", "mamba_130m", reference, batches, tmp_path, call=logits, tolerance=5e-4, framework_tolerance=1e-3)


@pytest.mark.zoo
@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "mamba_130m"])
def test_published_mamba(name: str) -> None:
    width, depth = PUBLISHED[name]
    with torch.device("meta"):
        reference = transformers.MambaForCausalLM(transformers.MambaConfig(hidden_size=width, num_hidden_layers=depth))
    same_parameters("text/mamba.net", name, reference)
