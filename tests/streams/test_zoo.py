"""Every causal model of the zoo in pieces, small."""

from __future__ import annotations

from typing import Any

import pytest

import netc
from tests.streams.pieces import same_in_pieces

DECODER = {"width": 32, "depth": 2, "heads": 4, "vocabulary": 50}
CAUSAL: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "wavenet": ("generative/wavenet.net", None, {"levels": 8, "width": 6, "skip": 5, "stacks": 2, "depth": 3}),
    "tcn": ("sequences/tcn.net", None, {"features": 2, "widths": (4, 4, 5), "classes": 3, "kernel": 3}),
    "tagger": ("sequences/tagger.net", None, {}),
    "luong": ("sequences/seq2seq.net", "luong", {"source": 20, "target": 9, "width": 8}),
    "gpt2": ("text/gpt2.net", "network", DECODER | {"context": 64}),
    "llama": ("text/llama.net", "network", DECODER | {"shared_heads": 2, "hidden": 48}),
    "mistral": ("text/mistral.net", "network", DECODER | {"shared_heads": 2, "hidden": 48, "window": 6}),
    "mixtral": ("text/mixtral.net", "network", DECODER | {"shared_heads": 2, "hidden": 48, "experts": 4, "active": 2}),
    "mamba": ("text/mamba.net", "network", {"width": 16, "depth": 2, "vocabulary": 30, "size": 4}),
    "rwkv": ("text/rwkv.net", "network", {"width": 16, "depth": 2, "vocabulary": 30}),
    "t5": ("text/t5.net", "network", DECODER | {"size": 8, "hidden": 40}),
    "t5_decoder": ("text/t5.net", "decoder_network", DECODER | {"size": 8, "hidden": 40}),
    "whisper": ("text/whisper.net", "network", DECODER | {"bins": 6, "frames": 20, "context": 64, "padding": 7}),
}
QUICK = ("wavenet", "tagger", "llama")


def of_zoo(name: str) -> netc.Model:
    path, model, params = CAUSAL[name]
    return netc.compile_file(f"specs/{path}", model=model, params=params)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.long) for n in CAUSAL])
def test_pieces_give_what_the_whole_gives(name: str) -> None:
    same_in_pieces(of_zoo(name))


@pytest.mark.long
@pytest.mark.parametrize(("dtype", "close"), [("float64", 1e-9), ("float16", 0.02)])
@pytest.mark.parametrize("name", CAUSAL)
def test_in_other_types(name: str, dtype: str, close: float) -> None:
    """Of float64 the difference is rounding alone."""
    same_in_pieces(of_zoo(name).in_type(dtype), total=9, close=close, targets=("module",))


def test_states_are_named_after_their_stages() -> None:
    names = [state.name for state in of_zoo("llama").stream("T").states]
    assert names[:2] == ["past_model_layers_0_self_attn_attention1_key", "past_model_layers_0_self_attn_attention1_value"]


def test_shared_keys_are_kept_once() -> None:
    """Two heads of keys for four of queries."""
    state = of_zoo("llama").stream("T").states[0]
    assert [str(d) for d in state.type.shape] == ["N", "2", "P", "8"]


def test_a_window_keeps_no_more_than_it_sees() -> None:
    states = of_zoo("mistral").stream("T").states
    assert [str(s.type) for s in states] == ["[N, 2, 5, 8]"] * 4 + ["bool [P]"]


def test_what_attends_to_the_encoder_is_computed_once() -> None:
    stream = of_zoo("whisper").stream("T").stream
    assert stream.start is not None
    assert stream.start.main.output_names == list(stream.fixed)
    paths = [node.label for node in stream.step.main.nodes]
    assert not [p for p in paths if p.startswith("model.encoder") or p.endswith(("encoder_attn.k_proj", "encoder_attn.v_proj"))]
