"""Runs the tests of jax-ml/bonsai of whole models with netc's Flax modules in the place of bonsai's.

    python -m tests.flax.bonsai_suite FOLDER [NAME ...]

FOLDER is a checkout of https://github.com/jax-ml/bonsai, whose test files are executed as they are. They compare a model of bonsai with one
of transformers, which they load by `from_pretrained`. Here that draws the parameters of the published configuration instead, because the
published weights cannot be downloaded everywhere, and the module of bonsai is the import of the same model by netc. Each comparison of a
test must hold for 1e-5 of the largest value, whatever the test itself allows. Tests of parts of bonsai's modules do not apply.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import sys
import types
import unittest
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import jax
import jax.numpy as jnp
import numpy as np
import torch
import transformers
from flax import nnx
from safetensors.torch import load_file

import netc

BOUND = 1e-5


@functools.cache
def draw_model(cls: type[torch.nn.Module], name: str) -> torch.nn.Module:
    """A model of transformers under the name of a published one, with random parameters and other statistics than 0 and 1."""
    torch.manual_seed(0)
    model = cls(CONFIGURATIONS[name])
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.8, 1.2)
    return model.eval()


def import_model(module: torch.nn.Module) -> nnx.Module:
    """The Flax module that netc writes for a model of images, in evaluation mode, as bonsai's are."""
    flax = netc.from_torch(module, {"pixel_values": torch.zeros(2, 3, 224, 224)}, verify=False).flax()
    flax.eval()
    return flax


class Replacement(nnx.Module):
    """netc's module with the calls of bonsai: images have their channels last, and some results are in a dictionary."""

    config = None

    def __init__(self, module: torch.nn.Module, *, channels_last: bool, named: bool) -> None:
        self.module = import_model(module)
        self.channels_last, self.named = channels_last, named

    def __call__(self, x: jax.Array, **_: object) -> Any:
        y = self.module(jnp.moveaxis(x, -1, 1) if self.channels_last else x)
        return dict(zip(("last_hidden_state", "pooler_output"), y, strict=True)) if self.named else y


def publish(class_name: str, reference: str) -> Mapping[str, Any]:
    """The names of bonsai's module `modeling` of a classifier of images."""

    class Published:
        @staticmethod
        def from_pretrained(name: str) -> Replacement:
            return Replacement(draw_model(getattr(transformers, reference), name), channels_last=True, named=False)

    return {class_name: Published, "forward": lambda model, x: model(x)}


def load_dinov3(folder: str, _: object) -> Replacement:
    """The module for the checkpoint that the test has written."""
    module = transformers.DINOv3ViTModel(CONFIGURATIONS["dinov3_vitb16"])
    module.load_state_dict(load_file(Path(folder) / "ref.safetensors"))
    return Replacement(module.eval(), channels_last=False, named=True)


_CONVNEXTS = (("tiny", 9, 96), ("small", 27, 96), ("base", 27, 128), ("large", 27, 192))
CONFIGURATIONS: dict[str, Any] = {
    "microsoft/resnet-50": transformers.ResNetConfig(num_labels=1000),
    "microsoft/resnet-152": transformers.ResNetConfig(depths=[3, 8, 36, 3], num_labels=1000),
    "dinov3_vitb16": transformers.DINOv3ViTConfig(hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_register_tokens=4),
    "google/vit-base-patch16-224": transformers.ViTConfig(num_labels=1000),
}
CONFIGURATIONS |= {
    f"facebook/convnext-{name}-224": transformers.ConvNextConfig(
        depths=[3, 3, depth, 3], hidden_sizes=[width * 2**i for i in range(4)], num_labels=1000
    )
    for name, depth, width in _CONVNEXTS
}
"""The published configurations: the papers' depths and widths, where they are not the defaults of transformers."""

SUITES: dict[str, tuple[str, Mapping[str, Any], tuple[str, ...]]] = {
    "resnet": ("test_outputs_resnet", publish("ResNet", "ResNetForImageClassification"), ("test_full",)),
    "convnext": ("test_outputs_ConvNext", publish("ConvNeXt", "ConvNextForImageClassification"), ("test_full",)),
    "vit": ("test_outputs_vit", publish("ViTClassificationModel", "ViTForImageClassification"), ("test_full",)),
    "dinov3": (
        "test_outputs_dinov3",
        {"ModelConfig": types.SimpleNamespace(dinov3_vitb16=lambda: None), "create_model_from_safe_tensors": load_dinov3},
        ("test_last_hidden_state", "test_pooled_output_embeddings"),
    ),
}
"""By the folder of bonsai: the file of tests, the names of its modules `modeling` and `params`, and the tests of whole models.

`test_full_interpolation` is not among them, because a spec has one size of images; networks of Keras and of timm are not, because their
packages are not needed otherwise.
"""


def install_modules(folder: str, names: Mapping[str, Any]) -> None:
    """Put stand-ins where the test file imports bonsai from."""
    for path in ("bonsai", "bonsai.models", f"bonsai.models.{folder}"):
        sys.modules.setdefault(path, types.ModuleType(path))
    package = sys.modules[f"bonsai.models.{folder}"]
    for leaf in ("modeling", "params"):
        module = types.ModuleType(f"bonsai.models.{folder}.{leaf}")
        vars(module).update(names)
        sys.modules[module.__name__] = module
        setattr(package, leaf, module)


def check_distance(compared: list[float]) -> Callable[..., None]:
    """A comparison in the place of NumPy's and PyTorch's, which keeps the distance of each pair."""

    def compare(left: Any, right: Any, **_: object) -> None:
        a, b = (np.asarray(one, dtype=np.float64) for one in (left, right))
        assert a.shape == b.shape
        compared.append(float(np.abs(a - b).max() / np.abs(b).max()))
        assert compared[-1] <= BOUND, compared[-1]

    return compare


def load_cases(bonsai: Path, folder: str) -> list[unittest.TestCase]:
    file, names, tests = SUITES[folder]
    install_modules(folder, names)
    path = bonsai / "bonsai" / "models" / folder / "tests" / f"{file}.py"
    spec = importlib.util.spec_from_file_location(file, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    return [case for group in suite for case in group if case.id().rsplit(".", 1)[1].startswith(tests) and "interpolation" not in case.id()]


def count_lines(bonsai: Path, folder: str) -> int:
    """The lines of bonsai's model and of its map of keys."""
    return sum(
        len((bonsai / "bonsai" / "models" / folder / name).read_text(encoding="utf-8").splitlines())
        for name in ("modeling.py", "params.py")
    )


@click.command()
@click.argument("bonsai", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folders", nargs=-1, type=click.Choice(list(SUITES)))
def main(bonsai: Path, folders: tuple[str, ...]) -> None:
    """Print a row for each test: the largest distance, as a part of the largest value."""
    jax.config.update("jax_default_matmul_precision", "highest")
    transformers.PreTrainedModel.from_pretrained = classmethod(lambda cls, name, **_: draw_model(cls, name))
    compared: list[float] = []
    np.testing.assert_allclose = torch.testing.assert_close = check_distance(compared)
    failed = 0
    for folder in folders or SUITES:
        click.echo(f"{folder}: {count_lines(bonsai, folder)} lines of bonsai")
        for case in load_cases(bonsai, folder):
            result = unittest.TextTestRunner(stream=io.StringIO()).run(unittest.TestSuite([case]))
            errors = [text for _, text in (*result.errors, *result.failures)]
            failed += bool(errors)
            click.echo(f"  {case.id().split('.', 1)[1]}: {errors[0] if errors else f'{compared[-1]:.1e}'}")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
