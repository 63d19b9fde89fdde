"""specs/generative, specs/sequences and specs/other against references written down by hand: small configurations, and published ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from zoo import handwritten as by_hand
from zoo.diffusion import UNet
from zoo.parity import Inputs, check, scatter, settle, tables
from zoo.small import SMALL

import netc

SPECS = Path(__file__).parents[2] / "specs"


class Case:
    """A model, its reference, the parameters that make it small, and a batch for each of some sizes."""

    def __init__(self, spec: str, model: str | None, make: Callable[[], nn.Module], params: dict[str, object], *batches: Inputs) -> None:
        self.spec, self.model, self.make, self.params, self.batches = spec, model, make, params, batches


def small(name: str, make: Callable[[], nn.Module], *batches: Inputs) -> Case:
    """The small configuration of that name."""
    found = SMALL[name]
    return Case(found.spec, found.model, make, dict(found.params), *batches)


GENERATOR = torch.Generator().manual_seed(0)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=GENERATOR)


def chosen(below: int, *shape: int) -> Tensor:
    return torch.randint(below, shape, generator=GENERATOR)


def sentences(source: int, target: int, *sizes: tuple[int, int, int]) -> list[Inputs]:
    """Of (batch, length, length of the translation)."""
    return [{"text": chosen(source, n, s), "translation": chosen(target, n, t)} for n, s, t in sizes]


def rays(*sizes: tuple[int, int]) -> list[Inputs]:
    return [{"position": noise(n, p, 3), "direction": nn.functional.normalize(noise(n, p, 3), dim=-1)} for n, p in sizes]


def visits(people: int, items: int, genres: int, *sizes: tuple[int, int]) -> list[Inputs]:
    """Of (batch, longest history): histories of all lengths, the first one empty."""
    batches = []
    for n, longest in sizes:
        present = torch.arange(longest) < torch.arange(n)[:, None]
        history = (1 + chosen(items - 1, n, longest)) * present
        frequency = torch.rand(n, generator=GENERATOR) + 0.01
        ids = {"person": chosen(people, n), "history": history, "item": chosen(items, n), "genre": chosen(genres, n)}
        batches.append({**ids, "frequency": frequency})
    return batches


def noisy(*sizes: tuple[int, int, int]) -> list[Inputs]:
    return [{"noisy": noise(n, 3, h, w), "step": chosen(1000, n)} for n, h, w in sizes]


CASES = {
    "generator": small(
        "generator",
        lambda: by_hand.generator(10, 4, 1),
        {"input": noise(1, 10, 1, 1)},
        {"input": noise(3, 10, 1, 1)},
    ),
    "discriminator": small(
        "discriminator",
        lambda: by_hand.discriminator(4, 1),
        {"input": noise(1, 1, 64, 64)},
        {"input": noise(3, 1, 64, 64)},
    ),
    "ddpm": small(
        "ddpm",
        lambda: UNet([8, 16, 16], [1], groups=4),
        *noisy((1, 16, 16), (3, 8, 12)),
    ),
    "ddpm of other depths": Case(
        "generative/ddpm.net",
        "network",
        lambda: UNet([8, 12], [0, 1], depth=1, groups=2),
        {"widths": [8, 12], "attention_levels": [0, 1], "depth": 1, "groups": 2},
        *noisy((1, 4, 4), (2, 8, 6)),
    ),
    "wavenet": small(
        "wavenet",
        lambda: by_hand.WaveNet(16, 6, 10, 2, 4, 3),
        {"samples": chosen(16, 1, 50)},
        {"samples": chosen(16, 3, 7)},
    ),
    "tcn": small(
        "tcn",
        lambda: by_hand.TCN(2, [5, 5, 7], 4, 3),
        {"x": noise(1, 2, 30)},
        {"x": noise(3, 2, 5)},
    ),
    "tagger": Case("sequences/tagger.net", None, by_hand.Tagger, {}, {"words": chosen(9, 1, 5)}, {"words": chosen(9, 3, 8)}),
    "tagger in both directions": small(
        "tagger",
        lambda: by_hand.Tagger(bidirectional=True),
        {"words": chosen(9, 1, 5)},
        {"words": chosen(9, 3, 8)},
    ),
    "bahdanau": small(
        "bahdanau",
        lambda: by_hand.Bahdanau(11, 13, 6),
        *sentences(11, 13, (1, 5, 4), (3, 7, 4)),
    ),
    "luong": small(
        "luong",
        lambda: by_hand.Luong(11, 13, 6),
        *sentences(11, 13, (1, 5, 4), (3, 7, 9)),
    ),
    "nerf": small(
        "nerf",
        lambda: by_hand.NeRF(16, 4, (0, 2), 3, 2),
        *rays((1, 5), (3, 8)),
    ),
    "pointnet": small(
        "pointnet",
        lambda: by_hand.PointNet(5),
        {"points": noise(1, 3, 20)},
        {"points": noise(3, 3, 33)},
    ),
    "mlp_mixer": small(
        "mlp_mixer",
        lambda: by_hand.MlpMixer(12, 2, 4, 5, 16),
        {"input": noise(1, 3, 16, 16)},
        {"input": noise(3, 3, 16, 16)},
    ),
    "two_tower": small(
        "two_tower",
        lambda: by_hand.TwoTower(7, 9, 4, 6, [8, 5]),
        *visits(7, 9, 4, (1, 3), (4, 6)),
    ),
    "kan": small(
        "kan",
        lambda: by_hand.KAN([6, 5, 4]),
        {"image": noise(1, 6)},
        {"image": noise(4, 6) / 2},
    ),
    "kan of other splines": Case(
        "other/kan.net",
        "kan",
        lambda: by_hand.KAN([6, 4], 8, 2),
        {"widths": [6, 4], "cells": 8, "order": 2},
        {"image": noise(1, 6)},
        {"image": noise(4, 6) / 2},
    ),
}

MIXERS = {
    f"{name}{patch}": (width, depth, patch) for name, width, depth in (("s", 512, 8), ("b", 768, 12), ("l", 1024, 24)) for patch in (32, 16)
}
PUBLISHED = {
    "ddpm_cifar10": Case(
        "generative/ddpm.net", "ddpm_cifar10", lambda: UNet([128, 256, 256, 256], [1]), {}, *noisy((1, 32, 32), (2, 24, 32))
    ),
    "generator": Case(
        "generative/dcgan.net", "generator", by_hand.generator, {}, {"input": noise(1, 100, 1, 1)}, {"input": noise(2, 100, 1, 1)}
    ),
    "discriminator": Case(
        "generative/dcgan.net", "discriminator", by_hand.discriminator, {}, {"input": noise(1, 3, 64, 64)}, {"input": noise(2, 3, 64, 64)}
    ),
    "wavenet": Case(
        "generative/wavenet.net", "wavenet", by_hand.WaveNet, {}, {"samples": chosen(256, 1, 5000)}, {"samples": chosen(256, 2, 400)}
    ),
    "tcn": Case("sequences/tcn.net", "tcn", lambda: by_hand.TCN(1, [10] * 8, 10, 8), {}, {"x": noise(1, 1, 600)}, {"x": noise(2, 1, 50)}),
    "bahdanau": Case(
        "sequences/seq2seq.net",
        "bahdanau",
        lambda: by_hand.Bahdanau(4601, 2991, 128),
        {},
        *sentences(4601, 2991, (1, 10, 10), (2, 6, 10)),
    ),
    "luong": Case(
        "sequences/seq2seq.net", "luong", lambda: by_hand.Luong(4601, 2991, 128), {}, *sentences(4601, 2991, (1, 10, 12), (2, 6, 5))
    ),
    "nerf": Case("generative/nerf.net", "nerf", by_hand.NeRF, {}, *rays((1, 64), (2, 192))),
    "pointnet": Case("other/pointnet.net", "pointnet", by_hand.PointNet, {}, {"points": noise(1, 3, 1024)}, {"points": noise(2, 3, 500)}),
    **{
        f"mixer_{name}": Case(
            "other/mlp_mixer.net",
            f"mixer_{name}",
            lambda sizes=sizes: by_hand.MlpMixer(*sizes),
            {},
            {"input": noise(1, 3, 224, 224)},
            {"input": noise(2, 3, 224, 224)},
        )
        for name, sizes in MIXERS.items()
    },
    "two_tower": Case(
        "other/two_tower.net",
        "two_tower",
        lambda: by_hand.TwoTower(6041, 3953, 19, 32, [64, 32]),
        {},
        *visits(6041, 3953, 19, (1, 5), (8, 20)),
    ),
    "kan": Case("other/kan.net", "kan", lambda: by_hand.KAN([784, 64, 10]), {}, {"image": noise(1, 784)}, {"image": noise(3, 784) / 2}),
}


def compare(case: Case, folder: Path) -> None:
    torch.manual_seed(0)
    reference = settle(scatter(case.make()))
    with torch.backends.mkldnn.flags(enabled=False):  # or the products within an LSTM would not be counted
        check(case.spec, case.model, reference, case.batches, folder, params=case.params)


@pytest.mark.parametrize("name", CASES)
def test_small(name: str, tmp_path: Path) -> None:
    compare(CASES[name], tmp_path)


@pytest.mark.zoo
@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name: str, tmp_path: Path) -> None:
    compare(PUBLISHED[name], tmp_path)


def test_the_grid_of_the_splines() -> None:
    tables("other/kan.net", "kan", by_hand.KAN([6, 5, 4]), {"widths": [6, 5, 4]})


@pytest.mark.parametrize(("spec", "model"), [("generative/wavenet.net", "wavenet"), ("sequences/tcn.net", "tcn")])
def test_nothing_looks_ahead(spec: str, model: str) -> None:
    """What comes later changes nothing of what was said before, and does change what is said then."""
    module = netc.compile_file(SPECS / spec, model=model).module(seed=0).eval()
    x = chosen(256, 1, 60) if model == "wavenet" else noise(1, 1, 60)
    later = x.clone()
    later[..., 40:] = later[..., 40:].flip(-1)
    with torch.no_grad():
        time = 2 if model == "wavenet" else 1
        before, after = (module(one).movedim(time, -1) for one in (x, later))
    assert torch.equal(before[..., :40], after[..., :40])
    assert not torch.allclose(before[..., 40:], after[..., 40:])
