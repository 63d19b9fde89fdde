"""Folders that netc refuses: each message names the file or the setting, nothing is written, and no code of the folder runs."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers", reason="the reference of model folders is transformers")

from model_folders.written_folders import SIZES, make_module, run_cli, write_folder  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in three shards."""
    folder = tmp_path_factory.mktemp("llama")
    make_module("LlamaForCausalLM", SIZES).save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


def change_config(**settings: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        config = json.loads(path.read_text()) | settings
        path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))

    return change


def remove(pattern: str) -> Callable[[Path], None]:
    return lambda folder: next(iter(sorted(folder.glob(pattern)))).unlink()


def cut_shard(folder: Path) -> None:
    path = next(iter(sorted(folder.glob("*.safetensors"))))
    path.write_bytes(path.read_bytes()[:-100])


def change_tensors(change: Callable[[dict[str, torch.Tensor]], None]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        tensors = {key: tensor for path in folder.glob("*.safetensors") for key, tensor in load_file(path).items()}
        for path in [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]:
            path.unlink()
        change(tensors)
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})

    return apply


class Attack:
    """An object that runs a command when it is unpickled."""

    def __reduce__(self) -> Any:
        return (open, (str(Path(__file__).with_name("unpickled")), "w"))


def write_pickle(folder: Path) -> None:
    for path in [*folder.glob("*.safetensors"), *folder.glob("*.index.json")]:
        path.unlink()
    torch.save({"model.norm.weight": Attack()}, folder / "pytorch_model.bin")


def write_plain_pickle(folder: Path) -> None:
    write_pickle(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Attack()}))


def narrow(tensors: dict[str, torch.Tensor]) -> None:
    tensors["model.norm.weight"] = tensors["model.norm.weight"][:8].clone()


def lose(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["model.layers.1.mlp.up_proj.weight"]


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no config": (remove("config.json"), "it has no `config.json`"),
    "no JSON": (lambda folder: (folder / "config.json").write_text("{") and None, "`config.json` is no JSON"),
    "a list": (lambda folder: (folder / "config.json").write_text("[]") and None, "must be a JSON object"),
    "deep JSON": (lambda folder: (folder / "config.json").write_text("[" * 100_000) and None, "`config.json` is no JSON"),
    "no architecture": (change_config(architectures=None), "`architectures` in `config.json` must name one class"),
    "a path as architecture": (change_config(architectures=["../evil"]), "`architectures` in `config.json` must name one class"),
    "no family": (change_config(model_type=None), "has no `model_type`"),
    "unknown family": (change_config(model_type="xyzzy", architectures=["XyzzyForCausalLM"]), "has the architecture `XyzzyForCausalLM`"),
    "a function as architecture": (change_config(architectures=["pipeline"]), "has the architecture `pipeline`"),
    "another family": (change_config(model_type="gpt2", architectures=["OPTForCausalLM"]), "`OPTForCausalLM` is of `opt`"),
    "own code": (change_config(auto_map={"AutoModel": "modeling.py--Net"}), "`auto_map` in `config.json` asks to run Python code"),
    "own code by a flag": (change_config(trust_remote_code=True), "`trust_remote_code` in `config.json` asks to run Python code"),
    "quantized": (change_config(quantization_config={"bits": 4}), "its weights are quantized"),
    "an adapter": (lambda folder: (folder / "adapter_config.json").write_text("{}") and None, "it has an adapter too"),
    "wrong type": (change_config(hidden_size="large"), '`hidden_size` in `config.json` must be a positive integer, not "large"'),
    "wrong number": (change_config(rms_norm_eps=True), "`rms_norm_eps` in `config.json` must be a number, not true"),
    "dynamic positions": (
        change_config(rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}),
        '`rope_type` = "dynamic" in `config.json`',
    ),
    "other sizes": (change_config(intermediate_size=50), "has the shape [48, 32] instead of [50, 32]"),
    "other depth": (change_config(num_hidden_layers=3), "model.layers.2."),
    "fewer layers": (
        change_config(num_hidden_layers=1),
        "have parts that the settings in `config.json` do not have: `model.layers.1.",
    ),
    "heads that do not divide": (change_config(num_attention_heads=4, num_key_value_heads=3), "do not fit"),
    "a missing shard": (remove("model-00002*.safetensors"), "there is no such file"),
    "no weights": (lambda folder: [path.unlink() for path in folder.glob("model*")] and None, "the folder has no weights"),
    "a cut shard": (cut_shard, "model-00001-of"),
    "another shape": (change_tensors(narrow), "model.norm.weight"),
    "a missing tensor": (change_tensors(lose), "model.layers.1.mlp.up_proj.weight"),
    "a pickle with code": (write_pickle, "pytorch_model.bin"),
    "an old pickle with code": (write_plain_pickle, "pytorch_model.bin"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, llama: Path, tmp_path: Path) -> None:
    change, message = REFUSED[name]
    folder = tmp_path / "folder"
    shutil.copytree(llama, folder)
    (folder / "modeling.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    change(folder)
    done = run_cli("import", folder, "-o", tmp_path / "out.net")
    assert done.exit_code == 1, done.output
    assert message in done.output
    assert "Traceback" not in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]
    assert not Path(__file__).with_name("unpickled").exists()


OF_TRANSFORMERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "other sizes": (change_config(intermediate_size=50), "other shapes than `config.json` says: `model.layers.0.mlp.down_proj.weight`"),
    "a missing tensor": (change_tensors(lose), "the weights lack `model.layers.1.mlp.up_proj.weight`"),
    "fewer layers": (change_config(num_hidden_layers=1, layer_types=None), "do not have: `model.layers.1."),
    "settings that contradict": (change_config(num_hidden_layers=3), "`num_hidden_layers` (3) must be equal"),
    "a missing shard": (remove("model-00002*.safetensors"), "there is no such file"),
    "a cut shard": (cut_shard, "model-00001-of"),
    "a pickle with code": (write_pickle, "pytorch_model.bin"),
}


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a family that the zoo does not have."""
    folder = tmp_path_factory.mktemp("qwen3")
    make_module("Qwen3ForCausalLM", SIZES | {"head_dim": 8}).save_pretrained(folder, max_shard_size="40KB")
    return folder


@pytest.mark.parametrize("name", OF_TRANSFORMERS)
def test_refused_modules(name: str, qwen3: Path, tmp_path: Path) -> None:
    change, message = OF_TRANSFORMERS[name]
    folder = tmp_path / "folder"
    shutil.copytree(qwen3, folder)
    change(folder)
    done = run_cli("import", folder, "-o", tmp_path / "out.net")
    assert done.exit_code == 1, done.output
    assert message in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


def test_missing_parts_of_another_class(llama: Path, tmp_path: Path) -> None:
    module = make_module("BertForMaskedLM", SIZES)
    folder = write_folder(module, tmp_path / "folder", architectures=["BertModel"])
    done = run_cli("import", folder, "-o", tmp_path / "out.net")
    # The masked language model has no pooler, which BertModel has.
    assert done.exit_code == 1
    assert "pooler.dense.weight" in done.output


def test_options_of_other_sources(llama: Path, tmp_path: Path) -> None:
    for option in ("--train", "--dequantize", "--args=a=1", "--set=a=1", "--output-name=a"):
        done = run_cli("import", llama, "-o", tmp_path / "out.net", option)
        assert done.exit_code == 2
        assert "is not for the folder of a model" in done.output


def test_an_existing_spec_is_kept(llama: Path, tmp_path: Path) -> None:
    (tmp_path / "out.net").write_text("input 3 -> dense 2")
    assert run_cli("import", llama, "-o", tmp_path / "out.net").exit_code == 2
    assert (tmp_path / "out.net").read_text() == "input 3 -> dense 2"
    assert run_cli("import", llama, "-o", tmp_path / "out.net", "--force").exit_code == 0


def test_without_transformers(llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The zoo's families need no transformers; what the zoo does not have is named, with the command that installs it."""
    monkeypatch.setitem(__import__("sys").modules, "transformers.utils", None)
    assert run_cli("import", llama, "-o", tmp_path / "out.net").exit_code == 0
    folder = tmp_path / "folder"
    shutil.copytree(llama, folder)
    change_config(hidden_act="quick_gelu")(folder)
    done = run_cli("import", folder, "-o", tmp_path / "other.net")
    assert done.exit_code == 1
    assert '`hidden_act` = "quick_gelu"' in done.output
    assert "pip install transformers" in done.output
