"""Model folders that transformers writes, and the comparison of what netc imports from them with transformers' own model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from click.testing import CliRunner, Result

import netc
from netc.cli import cli

TOLERANCE = 1e-4
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "vocab_size": 99,
    "max_position_embeddings": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def make_module(architecture: str, settings: Mapping[str, Any], seed: int = 0) -> transformers.PreTrainedModel:
    """A module with random weights, none of which is all zeros or all ones: what is left out would not show."""
    torch.manual_seed(seed)
    kind = getattr(transformers, architecture)
    module = kind(kind.config_class(**settings)).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() < 2 or bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return module


def write_folder(module: transformers.PreTrainedModel, folder: Path, **more: Any) -> Path:
    """Save a module as `save_pretrained` does, with `more` settings in its `config.json`; None removes one."""
    module.save_pretrained(folder)
    if more:
        path = folder / "config.json"
        config = json.loads(path.read_text()) | more
        path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return folder


def run_cli(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="netc")


def import_folder(folder: Path, output: Path, *options: str) -> tuple[netc.Model, Path]:
    """The model that `netc import FOLDER` writes, and its weights: the folder, or the one next to the spec."""
    done = run_cli("import", folder, "-o", output, "--force", *options)
    assert done.exit_code == 0, done.output
    written = output.with_suffix(".weights")
    return netc.compile_file(output), written if written.is_dir() else folder


def draw_tokens(*sizes: int, below: int = 99, seed: int = 1) -> torch.Tensor:
    return torch.randint(3, below, sizes, generator=torch.Generator().manual_seed(seed))


def check_close(found: Any, wanted: torch.Tensor, tolerance: float = TOLERANCE) -> None:
    found, expected = np.asarray(found), wanted.detach().numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def run_onnx(model: netc.Model, weights: Path, *inputs: torch.Tensor) -> dict[str, Any]:
    """The outputs by name, computed by ONNX Runtime."""
    results = model.session(weights)(*(tensor.numpy() for tensor in inputs))
    return results if isinstance(results, dict) else {next(iter(model.outputs)): results}
