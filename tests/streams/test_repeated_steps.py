"""Steps that leave out checks. The judges are the whole model in PyTorch, and the checks of all shapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import netc
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.streaming.stream_runner import StreamState

TEXTS = {
    "decoder": """tokens = input [T] int64 where T <= 24
(tokens -> embedding 40 16) -> repeat 2 { in + (in -> layer_norm -> multihead_attention 4 causal=true) } -> dense 40""",
    "rotary": """tokens = input [T] int64
x = tokens -> embedding 40 16 -> rearrange "b t (h d) -> b h t d" h=2
(x -> rotary, x -> rotary, x) -> attention causal=true window=7 -> rearrange "b h t d -> b t (h d)" -> dense 40""",
    "recurrent": "tokens = input [T] int64 where T <= 24\ntokens -> embedding 40 16 -> gru 16 -> dense 40",
    "convolution": "tokens = input [T] int64\n"
    "tokens -> embedding 40 16 -> transpose 1 2 -> pad [2, 0] -> conv 16 3 -> transpose 1 2 -> dense 40",
}
LENGTH = 24


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {name: netc.compile(text) for name, text in TEXTS.items()}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The runs of sessions, by the name of the method."""
    calls: list[str] = []
    for name in ("keeping", "repeat"):
        method = getattr(OnnxSession, name)
        monkeypatch.setattr(OnnxSession, name, lambda self, *a, m=method, n=name, **k: calls.append(n) or m(self, *a, **k))
    return calls


def draw_tokens(batch: int, length: int = LENGTH) -> Any:
    return np.random.default_rng(0).integers(0, 40, (batch, length))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("batch", [1, 3])
def test_tokens_one_by_one(models: dict[str, Any], counted: list[str], name: str, batch: int) -> None:
    model, tokens = models[name], draw_tokens(batch)
    (output,) = model.outputs
    run = model.stream("T").session(seed=0)
    state, parts = run.begin(), []
    for first, last in [(0, 5), *((i, i + 1) for i in range(5, 20)), (20, LENGTH)]:
        results, state = run(state, tokens=tokens[:, first:last])
        parts.append(results[output])
    with torch.no_grad():
        expected = model.module(seed=0).eval()(torch.from_numpy(tokens)).numpy()
    np.testing.assert_allclose(np.concatenate(parts, 1), expected, atol=1e-5)
    # A piece of a new length has all checks, and so has the first step that starts with no position.
    assert counted == ["keeping"] * 2 + ["repeat"] * 14 + ["keeping"]


def test_a_condition_holds_at_every_step(models: dict[str, Any]) -> None:
    run, tokens = models["decoder"].stream("T").session(seed=0), draw_tokens(1, 30)
    state = run.begin()
    for i in range(24):
        _, state = run(state, tokens=tokens[:, i : i + 1])
    for piece in (tokens[:, :1], tokens[:, :3]):
        with pytest.raises(ValueError, match="`where T <= 24` does not hold: P is 24, T is"):
            run(state, tokens=piece)


def test_a_state_is_a_value(models: dict[str, Any]) -> None:
    """Two texts from one state, and states that the caller has put together."""
    model, tokens = models["decoder"], draw_tokens(3)
    (output,) = model.outputs
    run, module = model.stream("T").session(seed=0), model.module(seed=0).eval()
    state = run.begin()
    for i in range(6):
        _, state = run(state, tokens=tokens[:, i : i + 1])
    order = [2, 0, 0, 1]
    chosen = StreamState({name: value.numpy()[order] for name, value in state.items()})
    changed = StreamState(state)
    for name, value in state.items():
        changed[name] = value.numpy()[order]
    longer = run(state, tokens=tokens[:, 6:7])[1]
    for start, rows, past in ((state, [0, 1, 2], 6), (chosen, order, 6), (changed, order, 6), (longer, [0, 1, 2], 7)):
        for token in (3, 11):
            results, after = run(start, tokens=np.full((len(rows), 1), token))
            results, _ = run(after, tokens=np.full((len(rows), 1), token))
            text = np.concatenate([tokens[rows, :past], np.full((len(rows), 2), token)], 1)
            with torch.no_grad():
                expected = module(torch.from_numpy(text)).numpy()[:, -1:]
            np.testing.assert_allclose(results[output], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("piece", "message"),
    [
        (np.zeros((2, 1), np.int64), "its axis 0 must be N"),
        (np.zeros((1, 1, 1), np.int64), "axes"),
        (np.zeros((1, 1)), "int64"),
        (np.full((1, 1), 40), "40"),
        (np.zeros((1, 0), np.int64), "a piece must have at least 1 position along `T`"),
    ],
)
def test_pieces_that_do_not_fit(models: dict[str, Any], piece: Any, message: str) -> None:
    run = models["decoder"].stream("T").session(seed=0)
    state = run.begin()
    for _ in range(3):
        _, state = run(state, tokens=np.zeros((1, 1), np.int64))
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        run(state, tokens=piece)
    with pytest.raises(ValueError) as expected:  # noqa: PT011
        run(StreamState(state), tokens=piece)  # a copy has all checks
    assert message in str(raised.value)
    assert str(raised.value) == str(expected.value)


def test_a_state_in_which_a_value_was_replaced(models: dict[str, Any]) -> None:
    run = models["decoder"].stream("T").session(seed=0)
    state = run.begin()
    for _ in range(3):
        _, state = run(state, tokens=np.zeros((1, 1), np.int64))
    name = next(iter(state))
    state[name] = state[name].numpy()[:, :2]
    with pytest.raises(ValueError, match="P"):
        run(state, tokens=np.zeros((1, 1), np.int64))
