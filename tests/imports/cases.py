"""Models that are imported to be counted: torchvision's, transformers' in small configurations, a sample of timm's, two of diffusers,
and ONNX files.

In: the name of a set, the size and the seed of a sample, and the most parameters. Out: names; for a name, an origin. Always: the same seed
gives the same sample; weights of modules are random, so that nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any, NamedTuple

import torch
from imports import onnx_files
from torch import nn

from netc.importing.module_origin import make_module_origin
from netc.importing.origin import Origin


class Case(NamedTuple):
    """A module, its arguments by position and by name, and the names of their symbolic axes."""

    module: nn.Module
    positional: tuple[Any, ...] = ()
    named: Mapping[str, Any] = {}
    dims: Mapping[str | int, Any] | None = None


def names(of: str, count: int, seed: int, most: int) -> list[str]:
    """The models of a set. Of torchvision and timm `count` are drawn from those that have at most `most` parameters."""
    match of:
        case "torchvision":
            import torchvision

            models = torchvision.models
            every = [*models.list_models(module=models), *models.list_models(module=models.segmentation)]
            return _sample(every, count, seed, lambda name: _torchvision_size(name) <= most)
        case "transformers":
            from frontends.test_torch_zoo import FAMILIES

            return list(FAMILIES)
        case "timm":
            import timm

            return _sample(timm.list_models(), count, seed, lambda name: _timm_size(name) <= most)
        case "diffusers":
            return ["UNet2DModel", "AutoencoderKL"]
        case "zoo":
            return onnx_files.zoo()
        case "wheels":
            return onnx_files.wheels()
    raise SystemExit(f"there is no set `{of}`; there are torchvision, transformers, timm, diffusers, zoo and wheels")


def _sample(every: Sequence[str], count: int, seed: int, fits: Callable[[str], bool]) -> list[str]:
    """Models in alphabetical order; a smaller count draws some of those that a larger one does."""
    shuffled = Random(seed).sample(every, len(every))
    return sorted(islice(filter(fits, shuffled), count))


def _torchvision_size(name: str) -> int:
    import torchvision

    return int(torchvision.models.get_model_weights(name)["DEFAULT"].meta["num_params"])


def _timm_size(name: str) -> int:
    import timm

    with torch.device("meta"):
        return sum(parameter.numel() for parameter in timm.create_model(name, pretrained=False).parameters())


def origin(of: str, name: str) -> Origin:
    """A model, drawn anew, or a file."""
    if of in _FILES:
        return _FILES[of](name)
    torch.manual_seed(0)
    made = case(of, name)
    return make_module_origin(made.module.eval(), made.positional, made.named, made.dims, name)


def case(of: str, name: str) -> Case:
    """A module with its inputs."""
    return {"torchvision": _torchvision, "transformers": _transformers, "timm": _timm, "diffusers": _diffusers}[of](name)


_FILES = {"zoo": onnx_files.zoo_origin, "wheels": onnx_files.wheel_origin}


def _torchvision(name: str) -> Case:
    import torchvision

    segmented = name in torchvision.models.list_models(module=torchvision.models.segmentation)
    options: dict[str, Any] = {"weights_backbone": None} if segmented else {}
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = False
    side = 224 if "vit" in name or "swin" in name or "maxvit" in name else 299 if name == "inception_v3" else 128
    return Case(torchvision.models.get_model(name, weights=None, **options), (torch.randn(2, 3, side, side),))


def _transformers(name: str) -> Case:
    from frontends.test_torch_zoo import FAMILIES

    make, inputs, dims = FAMILIES[name]
    return Case(make(), (), inputs(2, 7), dims)


def _timm(name: str) -> Case:
    import timm

    module = timm.create_model(name, pretrained=False)
    return Case(module, (torch.randn(2, *module.default_cfg["input_size"]),))


def _diffusers(name: str) -> Case:
    import diffusers

    if name == "UNet2DModel":
        unet = diffusers.UNet2DModel(
            sample_size=16,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        )
        return Case(unet, (), {"sample": torch.randn(2, 3, 16, 16), "timestep": torch.tensor([1, 7]), "return_dict": False})
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    coder = diffusers.AutoencoderKL(block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1, **blocks)
    coder.forward = lambda sample: coder.decode(coder.encode(sample, return_dict=False)[0].mode(), return_dict=False)[0]
    return Case(coder, (torch.randn(2, 3, 16, 16),))
