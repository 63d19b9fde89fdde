"""What the objectives with derivatives are for, on data that the tests make."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

import netc

SPECS = Path(__file__).parents[2] / "specs" / "training"


@pytest.mark.long
def test_the_heat_equation_is_solved(tmp_path: Path) -> None:
    """To 1e-3 of the exact solution, at all places and times."""
    path = SPECS / "heat.net"
    places = np.linspace(0, 1, 512, dtype=np.float32)[:, None]
    netc.train(path, data={"place": places}, output=tmp_path / "run")
    x, t = (grid.reshape(-1, 1) for grid in torch.meshgrid(torch.linspace(0, 1, 41), torch.linspace(0, 1, 41), indexing="ij"))
    module = netc.compile_file(path).module(weights=tmp_path / "run" / "last.safetensors")
    exact = torch.exp(-0.1 * math.pi**2 * t) * torch.sin(math.pi * x)
    assert (module(x, t) - exact).abs().max() < 1e-3


@pytest.mark.long
def test_a_wasserstein_gan_finds_all_modes(tmp_path: Path) -> None:
    """A ring of eight Gaussians: each has a fair share of the generated points, and most points are near one."""
    path, generator = SPECS / "wgan_gp.net", np.random.default_rng(0)
    angles = np.arange(8) * math.pi / 4
    centers = 2 * np.stack((np.cos(angles), np.sin(angles)), axis=1)
    real = (centers[generator.integers(0, 8, 8192)] + 0.05 * generator.normal(size=(8192, 2))).astype(np.float32)
    netc.train(path, data={"real": real}, output=tmp_path / "run", steps=4000)
    module = netc.compile_file(path).module(weights=tmp_path / "run" / "last.safetensors")
    noise = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        fake = module(torch.zeros(4000, 2), noise)[0].numpy()
    distances = np.linalg.norm(fake[:, None] - centers, axis=2)
    near = distances.min(axis=1) < 0.5
    shares = np.bincount(distances.argmin(axis=1)[near], minlength=8) / len(fake)
    assert near.mean() > 0.65, near.mean()
    assert shares.min() > 0.05, shares


@pytest.mark.long
def test_a_score_points_to_the_data(tmp_path: Path) -> None:
    """The score of a Gaussian with mean m and variance v is (m - x) / v."""
    path, generator = SPECS / "score.net", np.random.default_rng(0)
    x = (np.array([1.0, -2.0]) + np.array([0.5, 1.0]) * generator.normal(size=(8192, 2))).astype(np.float32)
    netc.train(path, data={"x": x}, output=tmp_path / "run", steps=2000)
    module = netc.compile_file(path).module(weights=tmp_path / "run" / "last.safetensors")
    with torch.no_grad():
        score = module(torch.from_numpy(x)).numpy()
    exact = (np.array([1.0, -2.0]) - x) / np.array([0.25, 1.0])
    assert np.square(score - exact).mean() < 0.1 * np.square(exact).mean()
