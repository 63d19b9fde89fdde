"""`--scan-layers`: equal layers are one `jax.lax.scan` over stacked parameters, from the same checkpoint, with PyTorch's numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import netc
from netc.cli import cli

pytest.importorskip("flax")

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import export

from tests.flax.flax_models import Pair, distance, execute, flatten, gradients, to_jax, to_numpy
from tests.parity import sizes_of

TEXT: dict[str, Any] = {"width": 32, "depth": 3, "heads": 4, "vocabulary": 50}
BLOCK = "block layer { h = in -> dense 4 -> tanh; in + h }; "
SCANNED = {
    "a block": f"{BLOCK} input 4 -> repeat 3 as layers {{ layer }} -> dense 2",
    "an operator": "input 4 -> repeat 4 as layers { dense 4 }",
    "a sequence": "input 3x6x6 -> repeat 3 as layers { conv 3 3x3 padding=1 -> tanh }",
    "a tensor from outside": "x = input 4; y = input 4; x -> repeat 3 as layers { h = in -> dense 4; h * y }",
    "a repeat in a repeat": f"{BLOCK} input 4 -> repeat 2 as outer {{ dense 4 as fc -> repeat 3 as inner {{ layer }} }}",
    "names": "block layer { in + (in -> dense 4) }; input 4 -> (repeat i in 3 as block_{i} { layer }) as layers",
    "a function with arguments": "input 4 -> repeat 3 as layers { dense 8 -> elu alpha=0.5 -> dense 4 }",
    "no parameters": "block layer { in + (in -> tanh) }; input 4 -> repeat 3 as layers { layer }",
    "frozen parameters": "input 4 -> repeat 3 as layers { dense 4 trainable=false -> tanh } -> dense 2",
    "a declared parameter": "block layer { w = param [4] init=normal(1) as w; in * w + sin(in) }; input 4 -> repeat 3 as layers { layer }",
    "two numbers of layers": f"{BLOCK} block stage(n) {{ repeat n as layers {{ layer }} }}; input 4 -> stage 2 as a -> stage 3 as b",
}
STACK = f"{BLOCK} block stack {{ repeat 3 as layers {{ layer }} }}; "
LOOPS = [
    ("block layer(i) { in * i + (in -> dense 4) }; input 4 -> repeat i in 3 as layers { layer (i + 1) }", "its layers differ"),
    ("block layer(n) { dense n -> tanh }; input 4 -> repeat i in 3 as layers { layer (4 + i) }", "its layers differ"),
    ("block layer { conv 3 3x3 -> tanh }; input 3x9x9 -> repeat 3 as layers { layer }", "return another type than they take"),
    (f"{BLOCK} y = input 4 -> repeat 3 as layers {{ layer }}; y -> dense 4 weight=layers.0.dense1.weight", "used one by one"),
    ("x = input 4; (a, b) = (x, x) -> repeat 3 as layers { (u, v) = in; s = u + v -> dense 4; out s, u }", "a class of their own"),
    (f"{STACK} y = input 4 -> stack as s; y -> dense 4 weight=s.layers.0.dense1.weight", "a parameter of its layers"),
    ("x = input 4; (h, ys[]) = x -> repeat 3 as layers { h = in -> dense 4; out h, h }", "used one by one"),
]


def scanned_pair(text: str, **options: Any) -> Pair:
    pair = Pair(netc.compile(text), scan_layers=True, **options)
    assert "= ScannedLayers(" in pair.text
    return pair


@pytest.mark.share(2)
@pytest.mark.thorough(2)
@pytest.mark.parametrize("text", SCANNED.values(), ids=SCANNED.keys())
def test_outputs_and_gradients_are_pytorch_s(text: str) -> None:
    pair = scanned_pair(text)
    pair.compare(sizes_of(pair.model)[0])
    inputs = [torch.randn((2, *type_.shape[1:]), generator=torch.Generator().manual_seed(1)) for type_ in pair.model.inputs.values()]
    if any(parameter.requires_grad for parameter in pair.torch.parameters()):
        assert max(gradients(pair, inputs, lambda y: (y**2).sum()).values()) <= 1e-5


@pytest.mark.parametrize("name", ["a block", "a repeat in a repeat", "names", "two numbers of layers"])
def test_tensors_have_the_names_of_the_checkpoint_again(name: str) -> None:
    """What `load` has set, unstacked, is what PyTorch saves."""
    pair = scanned_pair(SCANNED[name])
    variables = {".".join(map(str, path)): value[...] for path, value in nnx.to_flat_state(nnx.state(pair.flax))}
    found = pair.space["unstack_layers"](pair.flax, variables)
    wanted = pair.torch.state_dict()
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value.numpy())


@pytest.mark.parametrize("number", [0.0, 1e4, float("inf"), float("nan")])
def test_hard_numbers(number: float) -> None:
    pair = scanned_pair(SCANNED["a block"])
    x = torch.full((2, 4), number)
    np.testing.assert_allclose(to_numpy(pair.flax(to_jax(x))), to_numpy(pair.torch(x)), rtol=1e-5)


@pytest.mark.parametrize(
    ("path", "options", "shape"),
    [
        pytest.param("specs/text/llama.net", {"shared_heads": 2, "hidden": 64}, (2, 5), marks=pytest.mark.long),
        pytest.param("specs/text/gpt2.net", {}, (1, 1), marks=pytest.mark.rest),
        pytest.param("specs/text/bert.net", {}, (2, 5), marks=pytest.mark.rest),
        pytest.param("specs/text/distilbert.net", {}, (2, 5), marks=pytest.mark.rest),
    ],
)
def test_a_model_from_its_checkpoint(path: str, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    model = netc.compile_file(path, model="network", params=TEXT | options)
    with jax.enable_x64(False):
        pair = Pair(model, scan_layers=True, noise=0.01)
        inputs = [torch.randint(0, 2, shape).to(getattr(torch, type_.dtype.name)) for type_ in model.inputs.values()]
        wanted = flatten(pair.torch(*inputs))
        found = flatten(nnx.jit(lambda module, *arrays: module(*arrays))(pair.flax, *map(to_jax, inputs)))
        assert max(map(distance, wanted, found)) <= 1e-5


def test_the_program_does_not_grow_with_depth() -> None:
    """Neither forward nor backward."""

    def count_lines(depth: int) -> int:
        model = netc.compile(f"{BLOCK} input 4 -> repeat {depth} as layers {{ layer }}").flax(scan_layers=True)
        graph, state = nnx.split(model)
        compute = jax.grad(lambda state, x: nnx.merge(graph, state)(x).sum())
        return len(str(jax.make_jaxpr(compute)(state, jnp.ones((2, 4)))).splitlines())

    assert count_lines(2) == count_lines(16)


def test_statistics_of_each_layer_are_pytorch_s() -> None:
    """A training step under jit and without it, then evaluation."""
    pair = scanned_pair("input 4 -> repeat 3 as layers { dense 4 -> batch_norm -> tanh }", training=True)
    call = nnx.jit(lambda module, x: module(x))
    for seed, compute in enumerate((call, lambda module, x: module(x))):
        x = torch.randn((6, 4), generator=torch.Generator().manual_seed(seed))
        assert distance(pair.torch(x), compute(pair.flax, to_jax(x))) <= 1e-5
    stacked = pair.space["stack_layers"](pair.flax, {name: to_jax(value) for name, value in pair.torch.state_dict().items()})
    state = {".".join(map(str, path)): value for path, value in nnx.to_flat_state(nnx.state(pair.flax, nnx.BatchStat))}
    assert {name.rpartition(".")[2] for name in state} == {"running_mean", "running_var", "num_batches_tracked"}
    for name, value in state.items():
        np.testing.assert_allclose(np.asarray(value[...]), np.asarray(stacked[name]), rtol=1e-5, atol=1e-6)
    pair.torch.eval()
    pair.flax.eval()
    assert distance(pair.torch(x), pair.flax(to_jax(x))) <= 1e-5


def test_each_layer_draws_for_itself() -> None:
    """A sum of what two layers drop: with equal draws, it would have no ones."""
    text = "block layer { in + (in -> dropout 0.5) }; input 64 -> repeat 2 as layers { layer }"
    model, _ = execute(netc.compile(text).source("flax", scan_layers=True))
    x = jnp.ones((8, 64))
    first = np.asarray(model(x))
    assert set(first.ravel()) == {1.0, 3.0, 9.0}, "neither, one or both of the layers keep a number"
    assert not np.array_equal(model(x), first), "each call draws anew"
    model.eval()
    np.testing.assert_array_equal(model(x), 4 * x)


def test_the_draws_are_those_of_a_loop() -> None:
    """From the same seed, the parameters of both forms are equal."""
    text = SCANNED["a block"]
    (loop, _), (scan, space) = (execute(netc.compile(text).source("flax", scan_layers=flag), seed=3) for flag in (False, True))
    state = {".".join(map(str, path)): value[...] for path, value in nnx.to_flat_state(nnx.state(loop))}
    wanted = space["stack_layers"](scan, state)
    for path, value in nnx.to_flat_state(nnx.state(scan)):
        np.testing.assert_array_equal(value[...], wanted[".".join(map(str, path))])


def test_transformations() -> None:
    pair = scanned_pair("input 4 -> repeat 3 as layers { dense 4 -> batch_norm -> tanh }")
    x = to_jax(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)))
    wanted = pair.flax(x)
    np.testing.assert_allclose(jax.vmap(lambda one: pair.flax(one[None])[0])(x), wanted, rtol=1e-5)
    graph, state = nnx.split(pair.flax)
    exported = export.export(jax.jit(lambda state, x: nnx.merge(graph, state)(x)))
    (size,) = export.symbolic_shape("N")
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), state)
    call = exported(shapes, jax.ShapeDtypeStruct((size, 4), jnp.float32)).call
    np.testing.assert_allclose(call(state, x), wanted, rtol=1e-5)
    halves = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16) if leaf.dtype == jnp.float32 else leaf, state)
    assert nnx.merge(graph, halves)(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize(("text", "why"), LOOPS)
def test_layers_that_stay_a_loop(text: str, why: str) -> None:
    """The note says why, and the model is the same."""
    done = CliRunner().invoke(cli, ["compile", "-e", text, "--target", "flax", "--scan-layers"])
    assert done.exit_code == 0, done.stderr
    assert "note: " in done.stderr
    assert why in done.stderr
    assert "ScannedLayers" not in done.stdout
    assert done.stdout.strip() == netc.compile(text).source("flax").strip()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--target", "torch"], "`--scan-layers` is for the target `flax`, not for PyTorch source"),
        (["--emit", "flax"], "it goes without --stream, --emit and --train"),
        (["--target", "flax", "--train"], "it goes without --stream, --emit and --train"),
        (["--target", "flax", "--stream", "T"], "it goes without --stream, --emit and --train"),
    ],
)
def test_targets_and_forms_without_it(words: list[str], said: str) -> None:
    done = CliRunner().invoke(cli, ["compile", "-e", SCANNED["a block"], "--scan-layers", *words])
    assert done.exit_code == 2
    assert said in done.stderr


def test_another_target_in_python() -> None:
    with pytest.raises(ValueError, match="`scan_layers` is for the target `flax`, not for PyTorch source"):
        netc.compile("input 3 -> relu").source("torch", scan_layers=True)


def test_the_module_has_the_weights_of_the_seed() -> None:
    model = netc.compile(SCANNED["a block"])
    module = model.flax(seed=5, scan_layers=True)
    assert nnx.state(module)["layers"]["layer"]["dense1"]["weight"].shape == (3, 4, 4)
    x = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(module(jnp.asarray(x)), model.session(seed=5)(x), rtol=1e-5)


@pytest.mark.parametrize("change", ["layer", "first", "unknown", "shape"])
def test_load_refuses_a_file_that_does_not_fit(tmp_path: Path, change: str) -> None:
    from safetensors.torch import save_file

    pair = scanned_pair(SCANNED["an operator"])
    tensors = {name: value.clone() for name, value in pair.torch.state_dict().items()}
    if change == "unknown":
        tensors["layers.4.bias"] = torch.ones(4)
    elif change == "shape":
        tensors |= {f"layers.{i}.bias": torch.ones(3) for i in range(4)}
    else:
        del tensors[{"layer": "layers.2.bias", "first": "layers.0.bias"}[change]]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises((KeyError, ValueError), match=r"layers\.(\d|layer)\.bias"):
        pair.space["load"](pair.flax, str(tmp_path / "model.safetensors"))


def test_unequal_layers_in_python() -> None:
    """A person may put other layers into the class of the file."""
    _, space = execute(netc.compile(SCANNED["a block"]).source("flax", scan_layers=True))
    rngs = nnx.Rngs(0)
    with pytest.raises(ValueError, match="only equal layers can be scanned"):
        space["ScannedLayers"]([space["Linear"](4, 4, rngs=rngs), space["Linear"](4, 4, bias=False, rngs=rngs)])
