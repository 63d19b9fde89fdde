"""What changes training only: whole samples are dropped, and the others scaled."""

import pytest
import torch

import netc


@pytest.mark.parametrize("shape", ["[6]", "[5, 6]", "[3, 5, 6]", "[2, 3, 5, 6]"])
def test_drop_path_drops_whole_samples(shape: str) -> None:
    module = netc.compile(f"input {shape} -> drop_path 0.25").module()
    x = torch.ones(400, *(int(n) for n in shape.strip("[]").split(",")))
    y = module.train()(x)
    kept = y.flatten(1).amax(dim=1)
    assert y.shape == x.shape
    assert bool((y.flatten(1) == kept[:, None]).all())
    assert sorted(kept.unique().tolist()) == pytest.approx([0, 1 / 0.75])
    assert 0.6 < float((kept > 0).float().mean()) < 0.9
    assert torch.equal(module.eval()(x), x)
