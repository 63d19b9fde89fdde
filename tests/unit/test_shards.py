"""Checkpoints of several files, and checkpoints of other tools. The tool that wrote them is the judge: transformers, Lightning, PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import netc
from netc.compiler.errors.weight_errors import WeightsError, WeightsUnreadable
from netc.compiler.types.numpy_types import Array
from netc.compiler.weights.weight_sources import open_weights

INDEX = "model.safetensors.index.json"
LAYERS = 99
TEXT = f"input 3 -> repeat {LAYERS} as layers {{ dense 3 bias=false }} -> dense 2 bias=false as head"
"""A hundred parameters."""
MODEL = netc.compile(TEXT)


def arrays() -> dict[str, Array]:
    generator = np.random.default_rng(0)
    return {name: generator.standard_normal(info.shape, np.float32) for name, info in MODEL.parameters.items()}


def shards(folder: Path, values: Mapping[str, Array], count: int) -> dict[str, str]:
    """Writes as many files, and gives what the index says of them."""
    homes: dict[str, str] = {}
    names = list(values)
    for number in range(count):
        own = names[number::count]
        file = f"model-{number + 1:05}-of-{count:05}.safetensors"
        save_file({name: values[name] for name in own}, folder / file)
        homes |= dict.fromkeys(own, file)
    return homes


def index(folder: Path, homes: object, name: str = INDEX) -> Path:
    path = folder / name
    path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": homes}))
    return path


def taken(weights: object) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in MODEL.module(weights=weights).state_dict().items()}  # type: ignore[arg-type]


def same(found: Mapping[str, Array], wanted: Mapping[str, Array]) -> bool:
    return found.keys() == wanted.keys() and all(np.array_equal(found[name], wanted[name]) for name in wanted)


def refused(*paths: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        open_weights([str(path) for path in paths])
    assert isinstance(caught.value.problem, WeightsUnreadable)
    return str(caught.value)


# --- what is taken ---------------------------------------------------------------------------------------------------------


def test_a_hundred_shards(tmp_path: Path) -> None:
    """By the index, by the folder, and file by file."""
    wanted = arrays()
    path = index(tmp_path, shards(tmp_path, wanted, 100))
    assert len(list(tmp_path.glob("*.safetensors"))) == 100
    assert same(taken(path), wanted)
    assert same(taken(tmp_path), wanted)
    path.unlink()
    assert same(taken(tmp_path), wanted)
    assert same(taken(sorted(tmp_path.glob("*.safetensors"))), wanted)


def test_the_index_is_what_a_folder_means(tmp_path: Path) -> None:
    """Mistral's folders have the same weights a second time, under other names."""
    wanted = arrays()
    save_file({f"other.{name}": array for name, array in wanted.items()}, tmp_path / "consolidated.safetensors")
    index(tmp_path, shards(tmp_path, wanted, 3))
    assert same(taken(tmp_path), wanted)


def test_shards_of_pytorch(tmp_path: Path) -> None:
    wanted = {name: torch.from_numpy(array) for name, array in arrays().items()}
    names = list(wanted)
    homes: dict[str, str] = {}
    for number, own in enumerate((names[:50], names[50:]), 1):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save({name: wanted[name] for name in own}, tmp_path / file)
        homes |= dict.fromkeys(own, file)
    torch.save({"lr": 0.1}, tmp_path / "training_args.bin")
    torch.save({"state": {}}, tmp_path / "optimizer.bin")
    path = index(tmp_path, homes, "pytorch_model.bin.index.json")
    for weights in (path, tmp_path):
        assert same(taken(weights), arrays())
    path.unlink()
    assert same(taken(tmp_path), arrays())


def test_a_mixture_of_formats(tmp_path: Path) -> None:
    wanted = arrays()
    names = list(wanted)
    save_file({name: wanted[name] for name in names[:30]}, tmp_path / "a.safetensors")
    np.savez(tmp_path / "b.npz", **{name: wanted[name] for name in names[30:60]})  # type: ignore[arg-type]
    torch.save({"state_dict": {name: torch.from_numpy(wanted[name]) for name in names[60:]}}, tmp_path / "c.ckpt")
    assert same(taken([tmp_path / "a.safetensors", tmp_path / "b.npz", tmp_path / "c.ckpt"]), wanted)


def test_a_checkpoint_of_lightning(tmp_path: Path) -> None:
    """With the optimizer's state, and the module under a name of its own."""
    import lightning

    class Task(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = MODEL.module(seed=5)

        def training_step(self, batch: torch.Tensor) -> torch.Tensor:
            return self.model(batch).square().mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters())

    task = Task()
    trainer = lightning.Trainer(max_steps=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(task, torch.utils.data.DataLoader(torch.randn(8, 3), batch_size=4, collate_fn=torch.stack))
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    with pytest.warns(UserWarning, match="the prefix `model.` was removed"):
        found = taken(tmp_path / "last.ckpt")
    assert same(found, {name: tensor.numpy() for name, tensor in task.model.state_dict().items()})


def test_what_transformers_writes(tmp_path: Path) -> None:
    """A tiny Llama in many shards, with all its parameters."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2
    )
    torch.manual_seed(0)
    theirs = LlamaForCausalLM(config).eval()
    theirs.save_pretrained(tmp_path, max_shard_size="2KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 3
    sizes = {"width": 16, "depth": 2, "heads": 2, "shared_heads": 2, "hidden": 24, "vocabulary": 50, "eps": config.rms_norm_eps}
    ours = netc.compile_file("specs/text/llama.net", model="network", params=sizes).module(weights=tmp_path).eval()
    tokens = torch.tensor([[1, 7, 49, 0, 3]])
    torch.testing.assert_close(ours(tokens), theirs(tokens).logits)


def test_nothing_is_read_of_what_is_opened(tmp_path: Path) -> None:
    """A sparse file of eight gigabytes in a shard."""
    shape = (2**15, 2**16)
    header = json.dumps({"big": {"dtype": "F32", "shape": shape, "data_offsets": [0, 2**33]}}).encode()
    with open(tmp_path / "model-00001-of-00001.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 2**33)
    index(tmp_path, {"big": "model-00001-of-00001.safetensors"})
    assert open_weights([str(tmp_path)])["big"].shape == shape


def test_a_part_is_mapped(tmp_path: Path) -> None:
    save_file({"a": np.arange(6, dtype=np.float32), "b": np.zeros((0, 3), np.float16), "c": np.array(2.5)}, tmp_path / "w.safetensors")
    found = open_weights([str(tmp_path / "w.safetensors")])
    read = {name: tensor.read() for name, tensor in found.items()}
    assert read["a"].tolist() == [0, 1, 2, 3, 4, 5]
    assert not read["a"].flags.writeable
    assert (read["b"].shape, read["b"].dtype) == ((0, 3), np.float16)
    assert (read["c"].shape, read["c"]) == ((), 2.5)


# --- what is refused -------------------------------------------------------------------------------------------------------


def test_a_missing_shard(tmp_path: Path) -> None:
    path = index(tmp_path, shards(tmp_path, arrays(), 4))
    (tmp_path / "model-00003-of-00004.safetensors").unlink()
    assert "it names `model-00003-of-00004.safetensors`, and there is no such file" in refused(path)
    path.unlink()
    assert "`model-00003-of-00004.safetensors` is missing" in refused(tmp_path)


def test_a_tensor_in_two_shards(tmp_path: Path) -> None:
    homes = shards(tmp_path, arrays(), 2)
    save_file({"head.weight": np.ones((2, 3), np.float32)}, tmp_path / "model-00003-of-00003.safetensors")
    path = index(tmp_path, {**homes, "more": "model-00003-of-00003.safetensors"})
    assert "`head.weight` is in both" in refused(path)
    one, two = tmp_path / "model-00001-of-00002.safetensors", tmp_path / "model-00002-of-00002.safetensors"
    assert "is in both" in refused(one, one)
    (tmp_path / "twice.index.json").write_text(f'{{"weight_map": {{"a": "{one.name}", "a": "{two.name}"}}}}')
    assert "it is in two shards" in refused(tmp_path / "twice.index.json")


def test_a_tensor_in_no_shard(tmp_path: Path) -> None:
    path = index(tmp_path, {**shards(tmp_path, arrays(), 2), "lost": "model-00001-of-00002.safetensors"})
    assert "it says that `lost` is in `model-00001-of-00002.safetensors`, which does not have it" in refused(path)


@pytest.mark.parametrize("file", ["../w.safetensors", "a/../../w.safetensors", "/etc/w.safetensors", "C:\\w.safetensors", "\\w", "a\0b"])
def test_an_index_stays_in_its_folder(tmp_path: Path, file: str) -> None:
    save_file(arrays(), tmp_path / "w.safetensors")
    (tmp_path / "inner").mkdir()
    assert "leads out of its folder" in refused(index(tmp_path / "inner", {"head.weight": file}))


def test_an_index_of_itself(tmp_path: Path) -> None:
    assert "leads to another index" in refused(index(tmp_path, {"a": INDEX}))


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {}}', '{"weight_map": {"a": 3}}', "[" * 9999, "\xff"]
)
def test_what_is_no_index(tmp_path: Path, content: str) -> None:
    (tmp_path / INDEX).write_bytes(content.encode("latin-1"))
    refused(tmp_path / INDEX)


def test_a_damaged_shard(tmp_path: Path) -> None:
    path = index(tmp_path, shards(tmp_path, arrays(), 2))
    shard = tmp_path / "model-00002-of-00002.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1])
    assert f"`{shard}`: the file is corrupt" in refused(path)


def test_a_wrong_shape_in_a_shard(tmp_path: Path) -> None:
    path = index(tmp_path, shards(tmp_path, {**arrays(), "head.weight": np.ones((3, 2), np.float32)}, 5))
    with pytest.raises(WeightsError, match=r"`head.weight` has the shape \[3, 2\] instead of \[2, 3\]"):
        taken(path)


def test_folders_without_weights(tmp_path: Path) -> None:
    assert "the folder has no weights" in refused(tmp_path)
    for name in ("a.safetensors.index.json", "b.safetensors.index.json"):
        index(tmp_path, {"a": "w.safetensors"}, name)
    assert "it has several indexes" in refused(tmp_path)


def test_a_file_that_changes_while_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"a": torch.ones(2)}, path)
    found = open_weights([str(path)])
    path.unlink()
    assert found["a"].read().tolist() == [1, 1]
    torch.save({"a": torch.ones(2)}, path)
    save_file({"a": np.ones(2, np.float32)}, tmp_path / "w.safetensors")
    found = open_weights([str(tmp_path / "w.safetensors")])
    (tmp_path / "w.safetensors").unlink()
    with pytest.raises(WeightsError):
        found["a"].read()
