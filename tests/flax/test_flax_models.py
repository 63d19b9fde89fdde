"""Models in Flax with PyTorch's checkpoint, and the transformations of JAX and NNX on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

import netc

pytest.importorskip("flax")

import jax
import jax.numpy as jnp
import numpy as np
from click.testing import CliRunner
from flax import nnx

from netc.cli import cli
from netc.compiler.backends.flax.flax_framework import FLAX
from tests.flax.flax_models import Pair, distance, execute, flatten, gradients, to_jax

TEXT: dict[str, Any] = {"width": 32, "depth": 2, "heads": 4, "vocabulary": 50}
MODELS: list[tuple[str, str, Mapping[str, object], tuple[int, ...]]] = [
    ("specs/vision/resnet.net", "resnet18", {}, (2, 3, 64, 64)),
    ("specs/vision/convnext.net", "convnext_tiny", {}, (1, 3, 64, 64)),
    ("specs/vision/vit.net", "network", {"width": 32, "depth": 2, "heads": 4, "patch": 16, "size": 64}, (2, 3, 64, 64)),
    ("specs/text/llama.net", "network", TEXT | {"shared_heads": 2, "hidden": 64}, (2, 9)),
    ("specs/text/gpt2.net", "network", TEXT, (2, 9)),
    ("specs/text/bert.net", "network", TEXT, (2, 9)),
]


def draw(shape: tuple[int, ...]) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=generator) if len(shape) > 2 else torch.randint(0, 2, shape, generator=generator)


LONG = (
    "specs/text/bert.net",
    "specs/text/gpt2.net",
    "specs/text/llama.net",
    "specs/vision/convnext.net",
    "specs/vision/resnet.net",
    "specs/vision/vit.net",
)


@pytest.mark.thorough(4)
@pytest.mark.parametrize(
    ("path", "name", "params", "shape"),
    [pytest.param(*model, id=model[0], marks=pytest.mark.long if model[0] in LONG else ()) for model in MODELS],
)
def test_a_model_computes_the_same_from_the_checkpoint(path: str, name: str, params: Mapping[str, object], shape: tuple[int, ...]) -> None:
    """Under `nnx.jit`, without 64-bit types."""
    model = netc.compile_file(path, model=name, params=params)
    with jax.enable_x64(False):
        pair = Pair(model, noise=0.01)
        inputs = [draw(shape).to(getattr(torch, type_.dtype.name)) for type_ in model.inputs.values()]
        with torch.no_grad():
            wanted = pair.torch(*inputs)
        found = nnx.jit(lambda module, *arrays: module(*arrays))(pair.flax, *map(to_jax, inputs))
        assert max(map(distance, flatten(wanted), flatten(found))) <= 1e-5


SMALL = "x = input 3x8x8; x -> conv 4 3x3 -> batch_norm relu -> conv 4 3x3 -> global_avg_pool -> dense 2"
DROPPED = "input 64 -> dropout 0.5 -> dense 64 -> dropout 0.5"


WITH_TABLES = """
block waves { t = table (i) [4] = sin(i); u = table (i) [4] = i % 3 as u; in * t + u }
x = input 4; x -> dense 4 -> waves as waves -> dense 2
"""
"""A table in the state dict, and one that is not."""


def test_modules_of_jitted_constructors_keep_their_tables() -> None:
    model = netc.compile(WITH_TABLES)
    pair = Pair(model)
    x = draw((3, 4, 1))[..., 0]
    wanted = pair.torch(x).detach()
    filled = model.flax(seed=0)
    assert distance(model.module(seed=0)(x).detach(), filled(to_jax(x))) <= 1e-6
    assert distance(wanted, nnx.jit(lambda module, x: module(x))(pair.flax, to_jax(x))) <= 1e-6
    main = type(filled)
    jitted = nnx.jit(lambda: main(rngs=nnx.Rngs(0)))()
    nnx.update(jitted, nnx.state(pair.flax))
    assert distance(wanted, jitted(to_jax(x))) <= 1e-6
    abstract = nnx.eval_shape(lambda: main(rngs=nnx.Rngs(0)))
    assert abstract.waves.t.shape == (4,)
    nnx.update(abstract, nnx.state(pair.flax))
    assert distance(wanted, abstract(to_jax(x))) <= 1e-6


@pytest.mark.rest
def test_gradients_of_a_model_are_pytorch_s() -> None:
    pair = Pair(netc.compile(SMALL), training=True)
    found = gradients(pair, [draw((4, 3, 8, 8))], lambda y: (y**2).sum())
    # The bias before a batch norm has no gradient but rounding.
    assert max(error for name, error in found.items() if name != "conv1.bias") <= 1e-5


@pytest.mark.parametrize("momentum", ["0.1", "none"])
def test_running_statistics_after_two_steps_are_pytorch_s(momentum: str) -> None:
    pair = Pair(netc.compile(f"input 4x6 -> batch_norm momentum={momentum}"), training=True)
    for seed in range(2):
        x = torch.randn((3, 4, 6), generator=torch.Generator().manual_seed(seed))
        assert distance(pair.torch(x), pair.flax(to_jax(x))) <= 1e-5
    state = {".".join(map(str, path)): value for path, value in nnx.to_flat_state(nnx.state(pair.flax, nnx.BatchStat))}
    assert {name.rpartition(".")[2] for name in state} == {"running_mean", "running_var", "num_batches_tracked"}
    for name, value in state.items():
        assert distance(pair.torch.state_dict()[name], value[...]) <= 1e-6
    pair.torch.eval()
    pair.flax.eval()
    assert distance(pair.torch(x), pair.flax(to_jax(x))) <= 1e-5


def test_a_training_step_under_jit_updates_statistics() -> None:
    pair = Pair(netc.compile(SMALL), training=True)
    x = to_jax(draw((4, 3, 8, 8)))

    @nnx.jit
    def step(model: nnx.Module, x: jax.Array) -> Any:
        return nnx.grad(lambda model: (model(x) ** 2).sum())(model)

    step(pair.flax, x)
    assert int(pair.flax.batch_norm1.num_batches_tracked[...]) == 1


@pytest.mark.long
def test_dropout_is_decided_by_the_seed() -> None:
    text = netc.compile(DROPPED).source("flax")
    x = jnp.ones((4, 64))
    (first, _), (same, _), (other, _) = (execute(text, seed) for seed in (0, 0, 1))
    wanted = first(x)
    np.testing.assert_array_equal(same(x), wanted)
    assert not np.array_equal(first(x), wanted), "each call draws anew"
    assert not np.array_equal(other(x), wanted)
    first.eval()
    np.testing.assert_array_equal(first(x), first(x))


@pytest.mark.long
def test_stochastic_depth_drops_samples() -> None:
    model, _ = execute(netc.compile("x = input 8; x -> drop_path 0.5").source("flax"))
    y = np.asarray(model(jnp.ones((64, 8))))
    assert set(y.ravel()) == {0.0, 2.0}
    assert all(len(set(row)) == 1 for row in y)


@pytest.mark.long
def test_attention_drops_weights_in_training_only() -> None:
    model, _ = execute(netc.compile("x = input [2, 5, 4]; (x, x, x) -> attention dropout=0.5").source("flax"))
    x = jnp.ones((1, 2, 5, 4))
    assert not np.allclose(model(x), 1)
    model.eval()
    np.testing.assert_allclose(model(x), 1, rtol=1e-6)


@pytest.mark.sample(1)
@pytest.mark.parametrize("text", ["x = input [T, 4]; x -> lstm 5", "x = input [T, 4]; x -> gru 5"])
def test_a_recurrent_layer_is_a_scan(text: str) -> None:
    pair = Pair(netc.compile(text))
    assert "jax.lax.scan(step" in pair.text
    x = draw((2, 6, 4))
    assert max(gradients(pair, [x], lambda y: (y**2).sum()).values()) <= 1e-5
    jaxprs = [str(jax.make_jaxpr(lambda x: pair.flax(x))(to_jax(draw((2, steps, 4))))) for steps in (3, 30)]
    assert len(jaxprs[0].splitlines()) == len(jaxprs[1].splitlines()), "the length of a sequence does not lengthen the program"


@pytest.mark.long
def test_a_scan_whose_steps_draw_is_a_loop() -> None:
    text = "x = input [T, 4]; z = input 4; x -> scan (h = z) axis=1 { h = h + in -> dense 4 as cell -> dropout 0.5 }"
    source = netc.compile(text).source("flax")
    assert "for x_t in jnp.moveaxis(x, 1, 0):" in source
    model, _ = execute(source)
    assert nnx.jit(lambda model, x, z: model(x, z))(model, jnp.ones((2, 3, 4)), jnp.ones((2, 4))).shape == (2, 3, 4)


@pytest.mark.long
def test_split_merge_and_vmap() -> None:
    pair = Pair(netc.compile(SMALL))
    x = to_jax(draw((4, 3, 8, 8)))
    wanted = pair.flax(x)
    graph, params, rest = nnx.split(pair.flax, nnx.Param, ...)
    np.testing.assert_allclose(nnx.merge(graph, params, rest)(x), wanted, rtol=1e-6)
    pure = jax.jit(lambda params, x: nnx.merge(graph, params, rest)(x))
    np.testing.assert_allclose(pure(params, x), wanted, rtol=1e-5)
    found = jax.vmap(lambda one: pair.flax(one[None])[0])(x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    halves = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), params)
    assert nnx.merge(graph, halves, rest)(x.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.rest
@pytest.mark.parametrize(
    "text",
    [
        "block layer { in + (in -> rms_norm -> dense 16 silu -> dense 8) }; input 8 -> repeat 3 as layers { layer }",
        "x = input [5, 4]; x -> gru 6 -> layer_norm -> dense 2",
        "x = input 3x8x8; x -> conv 8 3x3 -> group_norm 4 -> max_pool 2 -> gelu",
        "x = input [5, 8]; x -> multihead_attention 2 causal=true",
    ],
)
def test_a_vmap_and_a_half_type(text: str) -> None:
    """A vmap over samples is the batch. In bfloat16, results are bfloat16, and near those of float32."""
    model = netc.compile(text)
    with jax.enable_x64(False):
        module = model.flax(seed=0)
        module.eval()
        x = jax.random.normal(jax.random.key(0), (4, *next(iter(model.inputs.values())).shape[1:]))
        wanted = module(x)
        found = jax.vmap(lambda one: module(one[None])[0])(x)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
        graph, state = nnx.split(module)
        halves = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), state)
        rounded = nnx.merge(graph, halves)(x.astype(jnp.bfloat16))
        assert rounded.dtype == jnp.bfloat16
        scale = float(jnp.abs(wanted).max())
        np.testing.assert_allclose(rounded.astype(jnp.float32), wanted, atol=0.03 * scale)


def test_model_flax_has_the_weights_of_the_seed() -> None:
    model = netc.compile("input 3 -> dense 8 relu -> batch_norm -> dense 2")
    module = model.flax(seed=5)
    module.eval()
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(module(jnp.asarray(x)), model.session(seed=5)(x), rtol=1e-5)


@pytest.mark.long
def test_tied_weights_are_one_variable() -> None:
    text = "x = input [T] int64; e = x -> embedding 10 4 as embed; e -> dense 10 bias=false weight=embed.weight as head"
    model = netc.compile(text)
    pair = Pair(model)
    x = torch.randint(0, 10, (2, 5))
    assert distance(pair.torch(x), pair.flax(to_jax(x))) <= 1e-6


def test_a_frozen_layer_has_no_trained_parameters() -> None:
    pair = Pair(netc.compile("input 4 -> dense 4 trainable=false as fixed -> dense 2 as head"))
    names = {".".join(map(str, path)) for path, _ in nnx.to_flat_state(nnx.state(pair.flax, nnx.Param))}
    assert names == {"head.weight", "head.bias"}


def test_the_names_that_modules_have_are_flax_s() -> None:
    """What a later version of flax adds must be added to the list."""
    own = {name for name in dir(nnx.Module) if not name.startswith("__")} - {"_abc_impl"}
    assert own <= FLAX.attributes
    assert {name for name in dir(nnx.Dict) if not name.startswith("__")} - own - {"_abc_impl"} <= FLAX.container_attributes


def test_a_label_that_is_a_method_of_every_module_is_an_error() -> None:
    with pytest.raises(netc.CompileError, match="the label `train` cannot be written in Flax") as caught:
        netc.compile("input 4 -> dense 4 as train").source("flax")
    (found,) = caught.value.diagnostics
    assert found.help == ("choose another label",)
    assert found.span is not None
    assert (found.span.start, found.span.end) == (11, 27)


def test_numbers_beyond_32_bits_are_noted() -> None:
    text = "x = input 4 int64; x * 5000000000 + 3 -> clamp max=5000000000"
    done = CliRunner().invoke(cli, ["compile", "-e", text, "--target", "flax"])
    notes = [line for line in done.stderr.splitlines() if line.startswith("note: ")]
    assert notes == [
        f"note: `{name}` has the number 5000000000, which does not fit into 32 bits: set `jax_enable_x64`" for name in ("mul", "clamp")
    ]


def test_a_spec_runs_in_jax() -> None:
    """With the numbers of ONNX Runtime."""
    command = ["run", "--random", "-e", "input 2 -> dense 3 relu", "--backend"]
    onnx, flax = (CliRunner().invoke(cli, [*command, backend]) for backend in ("onnx", "flax"))
    assert (onnx.exit_code, flax.exit_code, flax.stdout) == (0, 0, onnx.stdout)
    assert "output: float32 [1, 3]" in flax.stdout


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_load_refuses_a_file_that_does_not_fit(tmp_path: Any, change: str) -> None:
    from safetensors.numpy import save_file

    pair = Pair(netc.compile("input 3 -> dense 2 as fc"))
    tensors = {"fc.weight": np.ones((2, 3), np.float32), "fc.bias": np.ones(2, np.float32)}
    if change == "missing":
        del tensors["fc.bias"]
    elif change == "unknown":
        tensors["fc.scale"] = np.ones(2, np.float32)
    else:
        tensors["fc.bias"] = np.ones(1, np.float32)
    path = tmp_path / "model.safetensors"
    save_file(tensors, path)
    with pytest.raises((KeyError, ValueError), match=r"fc\.(bias|scale)"):
        pair.space["load"](pair.flax, str(path))


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "text",
    [
        "x = input 3; y = x -> dense 2; if training { out y, x } else { out y }",
        "x = input 3; if training { x * 2 } else { x }",
        "block b { h = in -> dense 3; if training { h + 1 } else { h } }; input 3 -> repeat 2 as layers { b }",
    ],
)
def test_a_network_that_differs_in_training(text: str) -> None:
    """A module without dropout or batch norm has a mode too, which `train` and `eval` change in all modules."""
    model = netc.compile(text)
    reference, module = model.module(seed=0), model.flax(weights=model.module(seed=0).state_dict())
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for mode in ("train", "eval", "train"):
        getattr(reference, mode)()
        getattr(module, mode)()
        with torch.no_grad():
            wanted = reference(torch.from_numpy(x))
        found = nnx.jit(lambda module, x: module(x))(module, x)
        pairs = zip(flatten(found), wanted if isinstance(wanted, tuple) else (wanted,), strict=True)
        for right, left in pairs:
            np.testing.assert_allclose(np.asarray(right), left.numpy(), rtol=1e-5, atol=1e-6)
