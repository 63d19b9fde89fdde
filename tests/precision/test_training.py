"""Train sections of models in another type."""

from __future__ import annotations

import pytest
import torch

import netc

TEXT = """
x = input 8
noise = input 8
scores = x + noise -> dense 16 -> batch_norm relu -> dense 3

train {
  target = input [] int64
  weight = input []
  noise = weight -> unsqueeze 1 -> expand [N, 8]
  loss = ((scores, target) -> cross_entropy reduction=none) * weight -> mean
  metric error = (scores -> argmax axis=1) != target -> cast float32 -> mean
  metric size = scores ** 2 -> mean
  optimizer sgd lr=0.1
}
"""


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("keep_io", [False, True])
def test_objective(dtype: str, keep_io: bool) -> None:
    """The model is in its type; the loss and the metrics are float32 at least."""
    model = netc.compile(TEXT, dtype=dtype, keep_io=keep_io)
    objective = model.training(seed=0)
    kind = getattr(torch, dtype)
    assert {p.dtype for p in objective.model.parameters()} == {kind}
    wide = torch.float64 if dtype == "float64" and not keep_io else torch.float32
    torch.manual_seed(0)
    given = {
        "x": torch.randn(6, 8).to(torch.float32 if keep_io else kind),
        "target": torch.arange(6) % 3,
        "weight": torch.rand(6).to(wide),
    }
    loss, metrics = objective(given)
    assert loss.dtype == (torch.float32 if keep_io else torch.promote_types(kind, torch.float32))
    plain = netc.compile(TEXT).training(seed=0, weights=objective.model.state_dict())
    wanted, others = plain({name: x.float() if x.is_floating_point() else x for name, x in given.items()})
    torch.testing.assert_close(loss.float(), wanted, rtol=0.05, atol=0.05)
    assert metrics.keys() == others.keys()
    loss.backward()
    assert all(p.grad is not None and p.grad.dtype == kind and p.grad.isfinite().all() for p in objective.model.parameters())


def test_the_python_file() -> None:
    from netc.analysis import Choice, analyze_training
    from netc.dsl.source import SourceFile
    from netc.inputs.argument_checks import check_precision
    from netc.training.source import emit_training_file

    found = analyze_training(SourceFile("a.net", TEXT), Choice(precision=check_precision("bfloat16")))
    assert found.training is not None
    assert "dtype=torch.bfloat16" in emit_training_file(found.training)
