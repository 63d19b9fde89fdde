"""Models in MLX with PyTorch's checkpoint, and the functions of MLX on them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import netc
from netc.cli import cli
from netc.compiler.backends.mlx.mlx_framework import MLX
from netc.compiler.backends.mlx.mlx_source import WRITER

pytest.importorskip("mlx.core", reason="mlx is not installed")

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten

from tests.mlx.mlx_models import Pair, convert, distance, execute, flatten

TEXT: dict[str, Any] = {"width": 32, "depth": 2, "heads": 4, "vocabulary": 50}
MODELS: list[tuple[str, str, Mapping[str, object], tuple[int, ...]]] = [
    ("specs/vision/resnet.net", "resnet18", {}, (2, 3, 64, 64)),
    ("specs/vision/convnext.net", "convnext_tiny", {}, (1, 3, 64, 64)),
    ("specs/vision/vit.net", "network", {"width": 32, "depth": 2, "heads": 4, "patch": 16, "size": 64}, (2, 3, 64, 64)),
    ("specs/text/llama.net", "network", TEXT | {"shared_heads": 2, "hidden": 64}, (2, 9)),
    ("specs/text/gpt2.net", "network", TEXT, (2, 9)),
    ("specs/text/bert.net", "network", TEXT, (2, 9)),
]
QUICK = ("specs/text/llama.net", "specs/vision/vit.net")


def draw(shape: tuple[int, ...]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator) if len(shape) > 2 else torch.randint(0, 2, shape, generator=generator)


@pytest.mark.parametrize(
    ("path", "name", "params", "shape"),
    [pytest.param(*model, id=model[0], marks=() if model[0] in QUICK else pytest.mark.long) for model in MODELS],
)
def test_a_model_computes_the_same_from_the_checkpoint(path: str, name: str, params: Mapping[str, object], shape: tuple[int, ...]) -> None:
    model = netc.compile_file(path, model=name, params=params)
    pair = Pair(model, noise=0.01)
    inputs = [draw(shape).to(getattr(torch, type_.dtype.name)) for type_ in model.inputs.values()]
    with torch.no_grad():
        wanted = pair.torch(*inputs)
    found = pair.mlx(*map(convert, inputs))
    assert max(map(distance, flatten(wanted), flatten(found))) <= 1e-5


SMALL = "x = input 3x8x8; x -> conv 4 3x3 -> batch_norm relu -> conv 4 3x3 -> global_avg_pool -> dense 2"


def named(tree: Any) -> dict[str, mx.array]:
    return dict(tree_flatten(tree))


@pytest.mark.parametrize("momentum", ["0.1", "none"])
def test_running_statistics_after_two_steps_are_pytorch_s(momentum: str) -> None:
    pair = Pair(netc.compile(f"input 4x6 -> batch_norm momentum={momentum}"), training=True)
    for seed in range(2):
        x = 1000 + torch.randn((3, 4, 6), generator=torch.Generator().manual_seed(seed))
        assert distance(pair.torch(x), pair.mlx(convert(x))) <= 1e-4  # the mean of 1000 leaves four digits
    state = named(pair.mlx.parameters())
    frozen = state.keys() - named(pair.mlx.trainable_parameters()).keys()
    assert {name.rpartition(".")[2] for name in frozen} == {"running_mean", "running_var", "num_batches_tracked"}
    for name in frozen:
        assert distance(pair.torch.state_dict()[name], state[name]) <= 1e-5
    pair.torch.eval()
    pair.mlx.eval()
    assert distance(pair.torch(x), pair.mlx(convert(x))) <= 1e-4


def test_gradients_of_a_model_are_pytorch_s() -> None:
    pair = Pair(netc.compile(SMALL), training=True)
    x = draw((4, 3, 8, 8))
    (pair.torch(x) ** 2).sum().backward()
    found = named(nn.value_and_grad(pair.mlx, lambda x: (pair.mlx(x) ** 2).sum())(convert(x))[1])
    wanted = {name: parameter.grad for name, parameter in pair.torch.named_parameters()}
    assert found.keys() == wanted.keys()
    # The bias before a batch norm has no gradient but rounding.
    assert max(distance(wanted[name], found[name]) for name in wanted if name != "conv1.bias") <= 1e-5


def test_a_training_step_lowers_the_loss() -> None:
    """With an optimizer of MLX, on all parameters but the frozen ones."""
    model = netc.compile("input 3 -> dense 8 trainable=false as fixed -> batch_norm relu -> dense 1 as head").mlx(seed=0)
    before = named(model.parameters())
    x, y = mx.random.normal((32, 3)), mx.random.normal((32, 1))
    compute = nn.value_and_grad(model, lambda x, y: ((model(x) - y) ** 2).mean())
    optimizer, losses = optim.SGD(0.05), []
    for _ in range(20):
        loss, gradients = compute(x, y)
        optimizer.update(model, gradients)
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    after = named(model.parameters())
    changed = {name for name in before if not mx.array_equal(before[name], after[name])}
    assert not {"fixed.weight", "fixed.bias"} & changed
    assert {"head.weight", "head.bias"} <= changed


def test_dropout_draws_from_mlx_s_generator() -> None:
    model, _ = execute(netc.compile("input 64 -> dropout 0.5").source("mlx"))
    x, results = mx.ones((4, 64)), []
    for seed in (0, 0, 1):
        mx.random.seed(seed)
        results.append(np.asarray(model(x)))
    assert set(results[0].ravel()) == {0.0, 2.0}
    np.testing.assert_array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
    model.eval()
    np.testing.assert_array_equal(np.asarray(model(x)), 1)


def test_stochastic_depth_drops_samples() -> None:
    model, _ = execute(netc.compile("x = input 8; x -> drop_path 0.5").source("mlx"))
    y = np.asarray(model(mx.ones((64, 8))))
    assert set(y.ravel()) == {0.0, 2.0}
    assert all(len(set(row)) == 1 for row in y)


def test_attention_drops_weights_in_training_only() -> None:
    model, _ = execute(netc.compile("x = input [2, 5, 4]; (x, x, x) -> attention dropout=0.5").source("mlx"))
    x = mx.ones((1, 2, 5, 4))
    assert not np.allclose(np.asarray(model(x)), 1)
    model.eval()
    np.testing.assert_allclose(np.asarray(model(x)), 1, rtol=1e-6)


def test_model_mlx_has_the_weights_of_the_seed() -> None:
    model = netc.compile("input 3 -> dense 8 relu -> batch_norm -> dense 2")
    module = model.mlx(seed=5)
    module.eval()
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(np.asarray(module(mx.array(x))), model.session(seed=5)(x), rtol=1e-5)


def test_tied_weights_are_one_parameter() -> None:
    """Changing the table changes the head, and the gradient of the table is the sum of both."""
    text = "x = input [T] int64; e = x -> embedding 10 4 as embed; e -> dense 10 bias=false weight=embed.weight as head"
    pair = Pair(netc.compile(text))
    x = torch.randint(0, 10, (2, 5), generator=torch.Generator().manual_seed(0))
    assert distance(pair.torch(x), pair.mlx(convert(x))) <= 1e-6
    (pair.torch(x) ** 2).sum().backward()
    gradients = named(nn.value_and_grad(pair.mlx, lambda x: (pair.mlx(x) ** 2).sum())(convert(x))[1])
    assert gradients.keys() == {"embed.weight"}
    assert distance(dict(pair.torch.named_parameters())["embed.weight"].grad, gradients["embed.weight"]) <= 1e-5


@pytest.mark.parametrize("text", ["x = input [T, 4]; x -> lstm 5", "x = input [T, 4]; x -> gru 5 layers=2 bidirectional=true"])
def test_a_recurrent_layer_has_pytorch_s_gradients(text: str) -> None:
    pair = Pair(netc.compile(text))
    x = draw((2, 6, 4))
    (flatten(pair.torch(x))[0] ** 2).sum().backward()
    found = named(nn.value_and_grad(pair.mlx, lambda x: (flatten(pair.mlx(x))[0] ** 2).sum())(convert(x))[1])
    wanted = {name: parameter.grad for name, parameter in pair.torch.named_parameters()}
    assert found.keys() == wanted.keys()
    assert max(distance(wanted[name], found[name]) for name in wanted) <= 1e-5


@pytest.mark.parametrize(
    "text",
    [
        "x = input 3; y = x -> dense 2; if training { out y, x } else { out y }",
        "block b { h = in -> dense 3; if training { h + 1 } else { h } }; input 3 -> repeat 2 as layers { b }",
    ],
)
def test_a_network_that_differs_in_training(text: str) -> None:
    pair = Pair(netc.compile(text))
    x = draw((4, 3, 1))[..., 0]
    for training in (True, False, True):
        pair.torch.train(training)
        pair.mlx.train(training)
        wanted, found = flatten(pair.torch(x)), flatten(pair.mlx(convert(x)))
        assert len(wanted) == len(found)
        assert max(map(distance, wanted, found)) <= 1e-5


@pytest.mark.parametrize("label", ["train", "items", "0"])
def test_a_label_that_every_module_has_is_an_item(label: str) -> None:
    pair = Pair(netc.compile(f"x = input 4; y = x -> dense 4 as {label}; x + y"))
    assert f'self["{label}"]' in pair.text or label == "0"  # a model whose only labels are numbers is a list
    pair.compare({"N": 2})


def test_a_table_is_no_parameter() -> None:
    block = "block angles(half) { f = table (i) [half] = 10000 ** (-i / (half - 1)); (in -> cast float32 -> unsqueeze 1) * f }"
    pair = Pair(netc.compile(f"{block}; x = input [] int64; x -> angles 4 -> dense 2 as head"))
    assert "Constant(mx.asarray(" in pair.text
    assert {name for name, _ in tree_flatten(pair.mlx.parameters())} == {"head.weight", "head.bias"}
    pair.compare({"N": 3})


def test_the_layers_of_mlx_are_used_and_quantized() -> None:
    pair = Pair(netc.compile("x = input [T] int64; x -> embedding 10 64 -> layer_norm -> dense 64 -> rms_norm eps=1e-6 -> dense 2"))
    for layer in ("nn.Embedding(10, 64)", "nn.LayerNorm(64)", "nn.Linear(64, 64)", "nn.RMSNorm(64, eps=1e-6)"):
        assert layer in pair.text
    nn.quantize(pair.mlx, group_size=64, bits=8)
    assert isinstance(pair.mlx.dense1, nn.QuantizedLinear)
    x = torch.arange(8)[None]
    assert distance(pair.torch(x), pair.mlx(convert(x))) <= 0.05


def test_layer_norm_of_numbers_far_from_zero() -> None:
    pair = Pair(netc.compile("input 64 -> layer_norm"))
    x = 1e3 + torch.randn((4, 64), generator=torch.Generator().manual_seed(0))
    assert distance(pair.torch(x), pair.mlx(convert(x))) <= 1e-4  # the mean of 1000 leaves four digits


def test_the_file_imports_mlx_and_the_standard_library() -> None:
    text = netc.compile_file("specs/text/llama.net", model="network", params=TEXT | {"shared_heads": 2, "hidden": 64}).source("mlx")
    roots = {line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert roots - set(sys.stdlib_module_names) == {"mlx"}


def test_every_definition_runs_with_the_imports_of_its_file() -> None:
    """Without postponed annotations, as a file of its own."""
    program = netc.compile("input 3 -> relu").program
    for name, definition in MLX.definitions.items():
        text = WRITER.write_file(program, "net", definition)
        space: dict[str, Any] = dict.fromkeys(re.findall(r"class \w+\((\w+)\)", definition), type)
        exec(compile(text, name, "exec", dont_inherit=True), space)
        assert name in space


def test_the_names_that_modules_have_are_mlx_s() -> None:
    """What a later version of mlx adds must be added to the list."""
    own = {name for name in (*dir(nn.Module), *nn.Module().__dict__) if not name.startswith("__")}
    assert own <= MLX.attributes


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("x = input 3; x * (param [3] init=ones as _scale) -> dense 2", "_scale"),
        ("input 3 -> relu -> dense 4 as _head -> relu", "_head"),
        ("block layer { in -> dense 3 }; input 3 -> layer as _part -> dense 2", "_part"),
        ("input 3 -> dense 4 as outer._head", "_head"),
        ("input 3 -> dense 4 as _training", "_training"),
        ("input 3 -> dropout 0.1 as _training", "_training"),
    ],
)
def test_a_label_that_mlx_does_not_train_is_an_error(text: str, label: str) -> None:
    with pytest.raises(netc.CompileError, match=f"the label `{label}` cannot be written in MLX") as caught:
        netc.compile(text).source("mlx")
    assert caught.value.diagnostics[0].help == ("choose another label",)


def test_a_module_that_has_only_buffers_may_have_any_label() -> None:
    model = netc.compile("x = input 3; w = param [3, 3] -> spectral_normalize as _norm; x @ w -> standardize as _scaled -> dense 2")
    Pair(model).compare({"N": 2})


@pytest.mark.parametrize("label", sorted(name for name in MLX.attributes if not name.startswith("_") and name != "training"))
def test_a_label_may_be_a_method_s_name(label: str) -> None:
    """It is an item of the module, and trained."""
    pair = Pair(netc.compile(f"input 3 -> dense 4 as {label}"))
    pair.compare({"N": 2})
    assert set(pair.mlx.trainable_parameters()) == {label}


def test_a_spec_runs_in_mlx() -> None:
    """With the numbers of ONNX Runtime."""
    command = ["run", "--random", "-e", "input 2 -> dense 3 relu", "--backend"]
    onnx, found = (CliRunner().invoke(cli, [*command, backend]) for backend in ("onnx", "mlx"))
    assert (onnx.exit_code, found.exit_code, found.stdout) == (0, 0, onnx.stdout)
    assert "output: float32 [1, 3]" in found.stdout


def test_mlx_takes_no_device() -> None:
    result = CliRunner().invoke(cli, ["run", "--random", "-e", "input 2 -> relu", "--backend", "mlx", "--device", "cuda"])
    assert result.exit_code == 2
    assert "MLX chooses its device itself" in result.output


def test_without_mlx_the_error_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    with pytest.raises(netc.CompileError, match="imports `mlx`, which is not installed") as caught:
        netc.compile("input 3 -> relu").mlx()
    assert "pip install mlx" in caught.value.diagnostics[0].help[0]


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_load_refuses_a_file_that_does_not_fit(tmp_path: Any, change: str) -> None:
    pair = Pair(netc.compile("input 3 -> dense 2 as fc"))
    tensors = {"fc.weight": mx.ones((2, 3)), "fc.bias": mx.ones(2)}
    if change == "missing":
        del tensors["fc.bias"]
    elif change == "unknown":
        tensors["fc.scale"] = mx.ones(2)
    else:
        tensors["fc.bias"] = mx.ones(1)
    path = tmp_path / "model.safetensors"
    mx.save_safetensors(str(path), tensors)
    with pytest.raises((KeyError, ValueError), match=r"fc\.(bias|scale)"):
        pair.space["load"](pair.mlx, str(path))
