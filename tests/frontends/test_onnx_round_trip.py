"""What netc writes as ONNX comes back as the model that it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from frontends.onnx_parity import same
from zoo.small import SMALL

import netc
from netc.compiler.frontends.base import ImportFailed
from netc.compiler.frontends.onnx import from_model

SPECS = Path(__file__).parents[2] / "specs"

REFUSED = {"mixtral": "whose size depends on data"}  # grouped_linear is many operators in ONNX
OTHER_KEYS = (
    *("mamba", "swin", "swin_v2", "vit", "clip", "gpt2", "llama", "mistral", "t5", "whisper", "hifigan"),
    *("ddpm", "maxvit", "wavenet", "nerf", "bahdanau", "pointnet", "kan"),
)
"""Those where ONNX has several operators or a number for what has a key, or where one is tied to another."""


@pytest.mark.parametrize("spec", ["seed/mlp.net", "seed/neuron.net"])
def test_the_first_models(spec: str) -> None:
    model = netc.compile_file(SPECS / spec)
    assert set(same(model.onnx(seed=1)).weights) == set(model.parameters)


@pytest.mark.long
@pytest.mark.parametrize("name", SMALL)
def test_the_zoo(name: str) -> None:
    small = SMALL[name]
    model = small.compiled()
    given = model.onnx(seed=1, optimize=False)
    if name in REFUSED:
        with pytest.raises(ImportFailed) as caught:
            from_model(given)
        assert any(REFUSED[name] in obstacle.why for obstacle in caught.value.obstacles)
        return
    limits = {key: limit if isinstance(limit, int) else limit[1] if isinstance(limit, tuple) else 2 for key, limit in small.below.items()}
    sizes = {key: (size, 2 * size if key in "HW" else size + 4) for key, size in small.sizes.items()}
    made = same(given, sizes=sizes, limits=limits)
    if name.split()[0] not in OTHER_KEYS:
        assert set(made.weights) == set(model.parameters)


@pytest.mark.long
def test_gpt() -> None:
    model = netc.compile_file(SPECS / "gpt.net")
    made = same(model.onnx(seed=1), limits={"tokens": 200})
    assert made.notes[0] == "It is assumed that T <= 128: an operator needs it."
