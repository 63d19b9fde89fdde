"""Folders of masked language models and image classifiers, judged by the models of transformers that have the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageClassification,
    AutoModelForMaskedLM,
    PreTrainedModel,
)

import netc
from transformers_folder.folders import FOLDERS, SPECS, VOCABULARY, draw_tokens

AUTO_CLASSES = {"bert": AutoModelForMaskedLM, "vit": AutoModelForImageClassification}


@pytest.fixture(scope="module", params=AUTO_CLASSES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, PreTrainedModel, PreTrainedModel]:
    family = FOLDERS[request.param]
    folder = family.save(tmp_path_factory.mktemp(request.param))
    model = AUTO_CLASSES[request.param].from_pretrained(folder, trust_remote_code=True).eval()
    return request.param, folder, model, family.reference()


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    assert (actual - expected).abs().max() <= 2e-6 * expected.abs().max().clamp(min=1)


def test_scores_and_loss(pair: tuple[str, Path, PreTrainedModel, PreTrainedModel]) -> None:
    name, _, model, reference = pair
    inputs = FOLDERS[name].draw_inputs(3, 9)
    labels = torch.tensor([0, 6, 2]) if name == "vit" else inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, -100)
    if name == "bert":
        inputs["token_type_ids"] = (torch.arange(9) > 4).long().expand(3, 9)
    results = [m(**inputs, labels=labels) for m in (model, reference)]
    real = inputs["attention_mask"].bool() if name == "bert" else slice(None)
    assert_close(results[0].logits[real], results[1].logits[real])
    assert_close(results[0].loss, results[1].loss)
    for result in results:
        result.loss.backward()
    expected = dict(reference.named_parameters())
    for key, parameter in model.named_parameters():
        # the key bias of an attention has no gradient but rounding errors
        assert_close(parameter.grad, expected[key].grad)
    reference.zero_grad()
    model.zero_grad()


def test_hidden_states_and_attentions(pair: tuple[str, Path, PreTrainedModel, PreTrainedModel]) -> None:
    name, _, *models = pair
    outputs = []
    for model in models:
        model.set_attn_implementation("eager")
        with torch.no_grad():
            outputs.append(model(**FOLDERS[name].draw_inputs(2, 6), output_hidden_states=True, output_attentions=True))
        model.set_attn_implementation("sdpa")
    assert len(outputs[0].hidden_states) == len(outputs[1].hidden_states)
    for one, other in zip(outputs[0].attentions, outputs[1].attentions, strict=True):
        assert_close(one, other)


def test_base_model(pair: tuple[str, Path, PreTrainedModel, PreTrainedModel]) -> None:
    name, folder, _, reference = pair
    base = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
    with torch.no_grad():
        inputs = FOLDERS[name].draw_inputs(2, 6)
        assert_close(base(**inputs).last_hidden_state, reference.base_model(**inputs).last_hidden_state)


def test_number_of_labels(pair: tuple[str, Path, PreTrainedModel, PreTrainedModel]) -> None:
    name, folder, *_ = pair
    if name != "vit":
        pytest.skip("masked language models have no labels")
    assert AutoConfig.from_pretrained(folder, trust_remote_code=True).num_labels == 7
    changed = AutoModelForImageClassification.from_pretrained(folder, trust_remote_code=True, num_labels=3, ignore_mismatched_sizes=True)
    assert changed(**FOLDERS[name].draw_inputs(1, 0)).logits.shape == (1, 3)


@pytest.mark.long
def test_network_without_attention(tmp_path: Path) -> None:
    """A convolutional network has a folder too, in which the whole network is one class."""
    model = netc.compile_file(SPECS / "vision/resnet.net", model="resnet18", params={"classes": 5})
    model.save_for("transformers", tmp_path / "folder", seed=1)
    loaded = AutoModelForImageClassification.from_pretrained(tmp_path / "folder", trust_remote_code=True).eval()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded(images).logits, model.module(seed=1).eval()(images))


@pytest.mark.parametrize("label", ["fc", "head", "xc"])
def test_keys_that_differ_in_their_first_letter(label: str, tmp_path: Path) -> None:
    """transformers finds the weights of `fc` next to a layer `c`, also in a network without base model."""
    folder = tmp_path / tmp_path.name  # in one process, transformers takes folders of one name for one model
    model = netc.compile(f"image = input 3x8x8; image -> conv 4 3 as c -> mean axis=[2, 3] -> dense 5 as {label}")
    model.save_for("transformers", folder, seed=1)
    loaded = AutoModelForImageClassification.from_pretrained(folder, trust_remote_code=True).eval()
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded(images).logits, model.module(seed=1)(images))


def test_attention_with_a_bias(tmp_path: Path) -> None:
    """A classifier of images keeps attention that the interface lacks, such as one with a bias of positions."""
    model = netc.compile(
        'x = input [3, 16, 16] -> conv 8 4 stride=4 as patches -> rearrange "n c h w -> n 1 (h w) c"\n'
        "bias = param [16, 16] init=normal(1) as bias\n(x, x, x, bias) -> attention -> mean axis=[1, 2] -> dense 5 as head"
    )
    model.save_for("transformers", tmp_path / "folder", seed=1)
    loaded = AutoModelForImageClassification.from_pretrained(tmp_path / "folder", trust_remote_code=True).eval()
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded(images).logits, model.module(seed=1)(images))


PLAIN = """
tokens = input [T] int64 where T <= 30
x = (tokens -> embedding 50 16 as table) + (param [30, 16] init=normal(0.02) as places -> slice axis=0 stop=T)
x
  -> repeat 2 as layers {
    q = in -> dense 16 as q -> rearrange "n t (h d) -> n h t d" h=2
    k = in -> dense 16 as k -> rearrange "n t (h d) -> n h t d" h=2
    (q, k, k) -> attention causal=true -> rearrange "n h t d -> n t (h d)" -> dense 16 as last
  }
  -> dense 50 as head
"""


def test_network_without_base_model(tmp_path: Path) -> None:
    """A network in one piece, whose sizes are plain numbers, is one class. Its vocabulary can be resized all the same."""
    compiled = netc.compile(PLAIN)
    compiled.save_for("transformers", tmp_path / "folder", seed=1)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "folder", trust_remote_code=True).eval()
    tokens = draw_tokens(2, 8) % 50
    with torch.no_grad():
        expected = compiled.module(seed=1)(tokens)
        assert_close(model(tokens).logits, expected)
        # numbers of the module itself, without a cache, judge what the cache gives
        generated = model.generate(tokens, max_new_tokens=5, do_sample=False, pad_token_id=0)
        for position in range(8, 13):
            assert torch.equal(compiled.module(seed=1)(generated[:, :position])[:, -1].argmax(-1), generated[:, position])
        model.resize_token_embeddings(VOCABULARY)
        model.save_pretrained(tmp_path / "again")
        again = AutoModelForCausalLM.from_pretrained(tmp_path / "again", trust_remote_code=True)
        assert_close(again(tokens).logits[..., :50], expected)


def test_fresh_network_starts_as_the_spec_says(tmp_path: Path) -> None:
    """Without a checkpoint, transformers draws the parameters with the initializers of the spec."""
    FOLDERS["gpt2"].compile().save_for("transformers", tmp_path / "folder", seed=1)
    config = AutoConfig.from_pretrained(tmp_path / "folder", trust_remote_code=True)
    config.width, config.heads = 256, 4
    model = AutoModelForCausalLM.from_config(config, trust_remote_code=True)
    layer = model.transformer.h[1]
    assert abs(layer.attn.c_attn.weight.std() - 0.02) < 5e-4
    assert abs(layer.attn.c_proj.weight.std() - 0.02 / (2 * config.depth) ** 0.5) < 5e-4
    assert layer.attn.c_attn.bias.abs().max() == 0
    assert layer.ln_1.weight.min() == 1
    assert model.lm_head.weight is model.transformer.wte.weight
