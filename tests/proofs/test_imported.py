"""Encoders of transformers with random weights: their masks hide padding, or the stage that leaks is named. Running decides."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.proofs import Claim
from netc.proving.prove_positions import PositionProof, prove_positions

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 32,
}
CLAIM = Claim("ignores", "attention_mask")


def proved(module: object) -> PositionProof:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    tokens, mask = torch.randint(2, 50, (2, 7)), torch.ones(2, 7, dtype=torch.int64)
    dims = {"input_ids": ["N", "T"], "attention_mask": ["N", "T"]}
    return prove_positions(netc.from_torch(module.eval(), {"input_ids": tokens, "attention_mask": mask}, dims, verify=False), CLAIM)  # type: ignore[attr-defined, arg-type]


def test_bert_ignores_padding_if_the_first_position_is_visible() -> None:
    transformers = pytest.importorskip("transformers")
    proof = proved(transformers.BertModel(transformers.BertConfig(**SIZES)))
    assert not proof.diagnostics
    assert "confirm it in PyTorch and ONNX Runtime" in proof.summary
    assert any("the first position" in note for note in proof.notes)  # the pooler takes it


def test_distilbert_ignores_padding() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=32, max_position_embeddings=32)
    assert not proved(transformers.DistilBertModel(config)).diagnostics


def test_t5_ignores_padding_under_an_assumption_about_scores() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(vocab_size=50, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)
    proof = proved(transformers.T5EncoderModel(config))
    assert not proof.diagnostics
    assert any("e+38 added are hidden" in note for note in proof.notes)


def test_positions_that_roberta_counts_from_tokens_depend_on_padding() -> None:
    transformers = pytest.importorskip("transformers")
    problems = proved(transformers.RobertaModel(transformers.RobertaConfig(**SIZES))).diagnostics
    assert {problem.message.split("`")[1] for problem in problems} == {"cumsum"}
    assert all(any(note.startswith("a counterexample: ") for note in problem.notes) for problem in problems)
