"""A small configuration of each family of the zoo that has one: quick to build, and with all that the family has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

import netc
from tests.parity import Limit, inputs_for, sizes_of, tensor

SPECS = Path(__file__).parents[2] / "specs"
COMPILED: dict[tuple[str, str | None, str, str | None], netc.Model] = {}
"""The models that have been compiled."""


class Small(NamedTuple):
    """A model of a file, with `params`. `sizes` has the sizes of the symbolic dimensions, `below` the limits of integer inputs."""

    spec: str
    model: str | None = None
    params: Mapping[str, Any] = {}
    sizes: Mapping[str, int] = {}
    below: Mapping[str, Limit] = {}

    def compiled(self, dtype: str | None = None) -> netc.Model:
        """The model, the same one for all tests of a process."""
        key = (self.spec, self.model, repr(self.params), dtype)
        if key not in COMPILED:
            COMPILED[key] = netc.compile_file(SPECS / self.spec, model=self.model, params=dict(self.params), dtype=dtype)
        return COMPILED[key]

    def compile_fixed(self, dtype: str | None = None) -> netc.Model:
        """The model with the sizes of `inputs` in place of symbols."""
        model = self.compiled(dtype)
        sizes = self._choose_sizes(model)
        dims = {symbol: sizes[symbol] for symbol in model.program.symbols if symbol in sizes}
        return netc.compile_file(SPECS / self.spec, model=self.model, params=dict(self.params), dtype=dtype, dims=dims)

    def _choose_sizes(self, model: netc.Model) -> dict[str, int]:
        return {**sizes_of(model, {name: (size, size) for name, size in self.sizes.items()})[1], "N": 2}

    def inputs(self, model: netc.Model) -> tuple[torch.Tensor, ...]:
        """Random inputs, a batch of more than one."""
        arrays = inputs_for(model, self._choose_sizes(model), limits=self.below)
        return tuple(tensor(arrays[name], type_) for name, type_ in model.inputs.items())


BERT = {"vocabulary": 96, "width": 24, "depth": 2, "heads": 3, "hidden": 72}
LLAMA = {"vocabulary": 96, "width": 32, "hidden": 48, "depth": 2, "heads": 4, "shared_heads": 2}
SWIN = {"depths": [2, 2], "window": 4, "heads": [2, 4], "width": 16, "classes": 10, "size": 44}
T5 = {"vocabulary": 96, "width": 24, "depth": 2, "heads": 3, "size": 6, "hidden": 48}
TEXT = {"tokens": 96}

SMALL: dict[str, Small] = {
    # vision
    "alexnet": Small("vision/alexnet.net", "alexnet", {"classes": 10, "hidden": 16}, {"H": 64, "W": 64}),
    "convnext": Small(
        "vision/convnext.net", "network", {"widths": [8, 16, 24], "depths": [1, 2, 1], "drop": 0.1, "classes": 10}, {"H": 32, "W": 32}
    ),
    "densenet": Small("vision/densenet.net", "network", {"growth": 4, "width": 8, "depths": [2, 2], "classes": 10}, {"H": 32, "W": 32}),
    "dla": Small("vision/dla.net", "dla46x_c", {}, {"H": 32, "W": 32}),
    "maxvit": Small(
        "vision/maxvit.net",
        "network",
        {"stem": 8, "widths": [8, 16], "depths": [1, 2], "side": 3, "head": 4, "classes": 10},
        {"H": 24, "W": 24},
    ),
    "mobilenet_v2": Small("vision/mobilenet_v2.net", "mobilenet_v2", {"scale": 0.1, "classes": 10}, {"H": 32, "W": 32}),
    "mobilenet_v3": Small("vision/mobilenet_v3.net", "mobilenet_v3_small", {}, {"H": 32, "W": 32}),
    "regnet": Small("vision/regnet.net", "regnet_y", {"widths": [8, 16], "depths": [1, 2], "group": 4, "classes": 10}, {"H": 32, "W": 32}),
    "resnet": Small("vision/resnet.net", "resnet18", {}, {"H": 32, "W": 32}),
    "shufflenet_v2": Small("vision/shufflenet_v2.net", "network", {"widths": [8, 8, 16, 16, 32], "classes": 10}, {"H": 32, "W": 32}),
    "squeezenet": Small(
        "vision/squeezenet.net", "network", {"width": 8, "kernel": 3, "stages": [[[4, 8]], [[4, 8]]], "classes": 10}, {"H": 32, "W": 32}
    ),
    "swin": Small("vision/swin.net", "first", SWIN),
    "swin_v2": Small("vision/swin.net", "second", {**SWIN, "size": 32}),  # padded, it is NaN in float16, as torchvision's
    "vgg": Small("vision/vgg.net", "network", {"depths": [1, 1, 1, 1, 1], "norm": True, "hidden": 16, "classes": 10}, {"H": 32, "W": 32}),
    "vit": Small("vision/vit.net", "network", {"patch": 8, "width": 32, "depth": 2, "heads": 4, "classes": 10, "size": 32}),
    "vit_transformers": Small(
        "vision/vit_transformers.net",
        "network",
        {"patch": 8, "width": 32, "depth": 2, "heads": 4, "hidden": 72, "classes": 10, "size": 32},
    ),
    # text
    "bert": Small("text/bert.net", "network", {**BERT, "context": 32}, {}, TEXT),
    "roberta": Small("text/roberta.net", "network", {**BERT, "context": 34}, {}, {"tokens": (2, 96)}),
    "distilbert": Small("text/distilbert.net", "network", {**BERT, "context": 32}, {}, TEXT),
    "clip": Small(
        "text/clip.net",
        "network",
        {
            "text": [24, 2, 3, 72],
            "image": [32, 3, 4, 80],
            "patch": 8,
            "features": 20,
            "size": 32,
            "vocabulary": 96,
            "context": 16,
            "end": 95,
        },
        {},
        TEXT,
    ),
    "gpt2": Small(
        "text/gpt2.net", "network", {"vocabulary": 96, "context": 32, "width": 24, "depth": 2, "heads": 3, "hidden": 72}, {}, TEXT
    ),
    "llama": Small("text/llama.net", "network", LLAMA, {"T": 24}, TEXT),
    "mistral": Small("text/mistral.net", "network", {**LLAMA, "window": 8}, {"T": 24}, TEXT),
    "mamba": Small("text/mamba.net", "network", {"vocabulary": 96, "width": 32, "depth": 2, "size": 5}, {}, TEXT),
    "rwkv": Small("text/rwkv.net", "network", {"vocabulary": 96, "width": 32, "depth": 2, "hidden": 72}, {}, TEXT),
    "mixtral": Small("text/mixtral.net", "network", {**LLAMA, "experts": 4, "active": 2}, {"T": 24}, TEXT),
    "t5": Small("text/t5.net", "network", T5, {"T": 9, "S": 12}, {"tokens": 96, "written": 96}),
    "t5 encoder": Small("text/t5.net", "encoder_network", T5, {}, TEXT),
    "t5 decoder": Small("text/t5.net", "decoder_network", T5, {}, {"written": 96}),
    "whisper": Small(
        "text/whisper.net",
        "network",
        {"width": 24, "depth": 2, "heads": 3, "hidden": 72, "bins": 10, "frames": 40, "context": 32},
        {},
        TEXT,
    ),
    # audio, generative, sequences, other
    "hifigan": Small(
        "audio/hifigan.net",
        "generator",
        {"width": 16, "rates": [4, 2], "kernels": [8, 4], "residual_kernels": [3, 5], "dilations": [[1, 3], [1, 2]], "bins": 6},
    ),
    "generator": Small("generative/dcgan.net", "generator", {"noise": 10, "width": 4, "channels": 1}),
    "discriminator": Small("generative/dcgan.net", "discriminator", {"width": 4, "channels": 1}),
    "ddpm": Small(
        "generative/ddpm.net",
        "network",
        {"widths": [8, 16, 16], "attention_levels": [1], "groups": 4},
        {"H": 8, "W": 12},
        {"step": 1000},
    ),
    "wavenet": Small(
        "generative/wavenet.net",
        "wavenet",
        {"levels": 16, "width": 6, "skip": 10, "stacks": 2, "depth": 4, "kernel": 3},
        {},
        {"samples": 16},
    ),
    "nerf": Small("generative/nerf.net", "nerf", {"width": 16, "depth": 4, "skips": [0, 2], "octaves": 3, "view_octaves": 2}),
    "tcn": Small("sequences/tcn.net", "tcn", {"features": 2, "widths": [5, 5, 7], "classes": 4, "kernel": 3}),
    "tagger": Small("sequences/tagger.net", None, {"bidirectional": True}, {}, {"words": 9}),
    "bahdanau": Small(
        "sequences/seq2seq.net",
        "bahdanau",
        {"source": 11, "target": 13, "width": 6, "length": 4},
        {},
        {"text": 11, "translation": 13},
    ),
    "luong": Small("sequences/seq2seq.net", "luong", {"source": 11, "target": 13, "width": 6}, {}, {"text": 11, "translation": 13}),
    "pointnet": Small("other/pointnet.net", "pointnet", {"classes": 5}),
    "mlp_mixer": Small("other/mlp_mixer.net", "network", {"width": 12, "depth": 2, "patch": 4, "classes": 5, "size": 16}),
    "two_tower": Small(
        "other/two_tower.net",
        "two_tower",
        {"people": 7, "items": 9, "genres": 4, "width": 6, "widths": [8, 5]},
        {},
        {"person": 7, "history": 9, "item": 9, "genre": 4},
    ),
    "kan": Small("other/kan.net", "kan", {"widths": [6, 5, 4]}),
}

WHOLE: dict[str, Small] = {
    "efficientnet": Small("vision/efficientnet.net", "efficientnet_b0", {}, {"H": 64, "W": 64}),
    "mnasnet": Small("vision/mnasnet.net", "mnasnet0_5", {}, {"H": 64, "W": 64}),
    "lraspp": Small("vision/segmentation.net", "lraspp_mobilenet_v3_large", {}, {"H": 64, "W": 64}),
    "googlenet": Small("vision/googlenet.net", "googlenet", {"aux": False}, {"H": 64, "W": 64}),
    "inception_v3": Small("vision/inception_v3.net", "inception_v3", {"aux": False}, {"H": 75, "W": 75}),
}
"""Families without a small configuration: the smallest model of each, on small images."""
