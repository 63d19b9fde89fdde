"""specs/text/{bert,roberta,distilbert}.net against transformers: small configurations, and published ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, scatter, tokens
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of the zoo's language models is transformers")

SIZES = {"vocab_size": 96, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 72}
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}


def texts(vocabulary: int, *sizes: tuple[int, int]) -> list[Inputs]:
    """Texts of two segments, whose last third is there in the first text of the batch only."""
    batches = []
    for batch in tokens(vocabulary, *sizes):
        n, length = batch["tokens"].shape
        segments = (torch.arange(length) >= length // 2).long().expand(n, length)
        mask = (torch.arange(length) < length - length // 3) | (torch.arange(n) == 0).unsqueeze(1)
        batches.append({**batch, "segments": segments, "mask": mask})
    return batches


def both(reference: torch.nn.Module, inputs: Inputs) -> object:
    out = reference(input_ids=inputs["tokens"], token_type_ids=inputs["segments"], attention_mask=inputs["mask"].long())
    return out.last_hidden_state, out.pooler_output


def without_segments(batches: list[Inputs]) -> list[Inputs]:
    return [{name: tensor for name, tensor in batch.items() if name != "segments"} for batch in batches]


def padded(batches: list[Inputs], padding: int) -> list[Inputs]:
    """Texts whose tokens are the padding where the mask hides them; elsewhere there is none."""
    batches = without_segments(batches)
    return [{"tokens": b["tokens"].clamp(min=padding + 1).where(b["mask"], padding), "mask": b["mask"]} for b in batches]


def unsegmented(reference: torch.nn.Module, inputs: Inputs) -> object:
    out = reference(input_ids=inputs["tokens"], attention_mask=inputs["mask"].long())
    return (out.last_hidden_state, out.pooler_output) if "pooler_output" in out else out.last_hidden_state


@pytest.mark.long
def test_small_bert(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.BertModel(transformers.BertConfig(**SIZES, max_position_embeddings=32)))
    check("text/bert.net", "network", reference, texts(96, (1, 7), (3, 16)), tmp_path, call=both, params=SMALL["bert"].params)


@pytest.mark.long
def test_small_roberta(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.RobertaConfig(**SIZES, max_position_embeddings=34, type_vocab_size=1, layer_norm_eps=1e-5)
    reference = scatter(transformers.RobertaModel(config))
    batches = padded(texts(96, (1, 7), (3, 16)), padding=1)
    check("text/roberta.net", "network", reference, batches, tmp_path, call=unsegmented, params=SMALL["roberta"].params)


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_rows_of_padding_are_zero(name: str) -> None:
    """The same ones as in the reference, as drawn, and they get no gradients."""
    kinds = {"bert": (transformers.BertConfig, transformers.BertModel), "roberta": (transformers.RobertaConfig, transformers.RobertaModel)}
    config, made = kinds[name]
    reference = made(config(**SIZES, max_position_embeddings=34)).embeddings
    ours = SMALL[name].compiled().module(seed=0).embeddings
    for label in ("word_embeddings", "position_embeddings"):
        found, wanted = ours.get_submodule(label), reference.get_submodule(label)
        assert found.padding_idx == wanted.padding_idx
        assert found.weight.eq(0).all(1).nonzero().tolist() == wanted.weight.eq(0).all(1).nonzero().tolist()


@pytest.mark.long
def test_small_distilbert(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.DistilBertConfig(vocab_size=96, dim=24, n_layers=2, n_heads=3, hidden_dim=72, max_position_embeddings=32)
    reference = scatter(transformers.DistilBertModel(config))
    batches = without_segments(texts(96, (1, 7), (3, 16)))
    check("text/distilbert.net", "network", reference, batches, tmp_path, call=unsegmented, params=SMALL["distilbert"].params)


@pytest.mark.zoo
@pytest.mark.parametrize(("name", "sizes"), [("bert_base", {}), ("bert_large", LARGE)])
def test_published_bert(name: str, sizes: dict[str, int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.BertModel(transformers.BertConfig(**sizes)))
    check("text/bert.net", name, reference, texts(30_522, (1, 16), (2, 40)), tmp_path, call=both)


@pytest.mark.zoo
@pytest.mark.parametrize(("name", "sizes"), [("roberta_base", {}), ("roberta_large", LARGE)])
def test_published_roberta(name: str, sizes: dict[str, int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.RobertaConfig(**sizes, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5)
    reference = scatter(transformers.RobertaModel(config))
    batches = padded(texts(50_265, (1, 16), (2, 40)), padding=1)
    check("text/roberta.net", name, reference, batches, tmp_path, call=unsegmented)


@pytest.mark.zoo
def test_published_distilbert(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.DistilBertModel(transformers.DistilBertConfig()))
    check(
        "text/distilbert.net", "distilbert_base", reference, without_segments(texts(30_522, (1, 16), (2, 40))), tmp_path, call=unsegmented
    )
