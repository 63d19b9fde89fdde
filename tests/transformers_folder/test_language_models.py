"""Folders of language models, judged by the models of transformers that have the same weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedModel

from transformers_folder.folders import FOLDERS, LANGUAGE_MODELS, VOCABULARY, draw_tokens

Pair = tuple[PreTrainedModel, PreTrainedModel]


@pytest.fixture(scope="module", params=["llama", *(pytest.param(name, marks=pytest.mark.long) for name in LANGUAGE_MODELS[1:])])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PreTrainedModel]:
    family = FOLDERS[request.param]
    return family.save(tmp_path_factory.mktemp(request.param)), family.reference()


@pytest.fixture
def pair(folder: tuple[Path, PreTrainedModel]) -> Pair:
    """The model of the folder, and the reference."""
    return AutoModelForCausalLM.from_pretrained(folder[0], trust_remote_code=True).eval(), folder[1]


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert actual.shape == expected.shape
    if actual.numel():
        assert (actual - expected).abs().max() <= 2e-6 * expected.abs().max().clamp(min=1)


@pytest.mark.parametrize("shape", [(2, 9), (1, 1), (3, 40)])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_scores(pair: Pair, shape: tuple[int, int], implementation: str) -> None:
    model, reference = pair
    model.set_attn_implementation(implementation)
    tokens = draw_tokens(*shape)
    with torch.no_grad():
        assert_close(model(tokens).logits, reference(tokens).logits)


def test_loss_and_gradients(pair: Pair) -> None:
    model, reference = pair
    tokens = draw_tokens(2, 9)
    labels = tokens.clone()
    labels[0, :4] = -100
    results = [m(tokens, labels=labels) for m in pair]
    assert_close(results[0].loss, results[1].loss)
    for result in results:
        result.loss.backward()
    expected = dict(reference.named_parameters())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None
        assert_close(parameter.grad, expected[name].grad)
    reference.zero_grad()


def test_gradient_checkpointing(pair: Pair) -> None:
    """Layers that are computed again in the backward pass give the same gradients."""
    model, _ = pair
    model.train()
    tokens = draw_tokens(2, 9)
    gradients = []
    for checkpoints in (False, True):
        model.zero_grad()
        if checkpoints:
            model.activation_checkpointing_enable()
        model(tokens, labels=tokens).loss.backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_left_padding(pair: Pair) -> None:
    """Samples with padding in front have the scores that they have alone."""
    tokens = draw_tokens(2, 9)
    mask = torch.ones_like(tokens)
    mask[0, :5] = 0
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        scores = [m(tokens, attention_mask=mask, position_ids=positions).logits for m in pair]
        alone = pair[0](tokens[:1, 5:]).logits
    assert_close(scores[0][mask.bool()], scores[1][mask.bool()])
    assert_close(scores[0][:1, 5:], alone)


def test_prompt_in_pieces(pair: Pair) -> None:
    """With a cache, a prompt in pieces has the scores of the full prompt."""
    model, _ = pair
    tokens = draw_tokens(2, 12)
    with torch.no_grad():
        full = model(tokens).logits
        cache, pieces = None, []
        for piece in tokens.split([5, 1, 4, 2], dim=1):
            output = model(piece, cache=cache, use_cache=True)
            cache = output.cache
            pieces.append(output.logits)
    assert_close(torch.cat(pieces, dim=1), full)


@pytest.mark.parametrize(
    "options",
    [{}, {"num_beams": 3}, {"use_cache": False}, {"cache_implementation": "static"}, {"do_sample": True, "top_k": 5}],
    ids=["greedy", "beams", "no cache", "static cache", "sample"],
)
def test_generate(pair: Pair, options: dict[str, Any]) -> None:
    """Both generate the same tokens, of prompts of different lengths, padded on the left."""
    tokens = draw_tokens(2, 7)
    mask = torch.ones_like(tokens)
    mask[1, :3] = 0
    results = []
    for model in pair:
        torch.manual_seed(0)
        settings: dict[str, Any] = {"max_new_tokens": 9, "do_sample": False, "pad_token_id": 0, "eos_token_id": None, **options}
        results.append(model.generate(tokens, attention_mask=mask, **settings))
    assert torch.equal(results[0], results[1])


def test_hidden_states_and_attentions(pair: Pair) -> None:
    tokens = draw_tokens(2, 6)
    outputs = []
    for model in pair:
        model.set_attn_implementation("eager")
        with torch.no_grad():
            outputs.append(model(tokens, output_hidden_states=True, output_attentions=True))
    for kind in ("hidden_states", "attentions"):
        actual, expected = outputs[0][kind], outputs[1][kind]
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_close(one, other)


def test_save_and_load_again(pair: Pair, tmp_path: Path) -> None:
    model, _ = pair
    model.save_pretrained(tmp_path / "again")
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "again", trust_remote_code=True)
    tokens = draw_tokens(1, 5)
    with torch.no_grad():
        assert torch.equal(again(tokens).logits, model(tokens).logits)


def test_base_model(folder: tuple[Path, PreTrainedModel]) -> None:
    base = AutoModel.from_pretrained(folder[0], trust_remote_code=True)
    tokens = draw_tokens(2, 5)
    with torch.no_grad():
        assert_close(base(tokens).last_hidden_state, folder[1].base_model(tokens).last_hidden_state)
    sizes = AutoConfig.from_pretrained(folder[0], trust_remote_code=True)
    for name in ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"):
        assert getattr(sizes, name) == getattr(folder[1].config, name)


def test_resized_embedding(pair: Pair) -> None:
    model, reference = pair
    model.resize_token_embeddings(VOCABULARY + 5)
    assert model.config.vocab_size == VOCABULARY + 5
    tokens = draw_tokens(1, 5)
    with torch.no_grad():
        logits = model(tokens).logits
        assert_close(logits[..., :VOCABULARY], reference(tokens).logits)
    assert logits.shape[-1] == VOCABULARY + 5
