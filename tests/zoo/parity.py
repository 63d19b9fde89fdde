"""A spec against the reference implementation that its users know: names, shapes, weights from a file, and outputs.

The reference computes; its random weights go through a .safetensors file, as a checkpoint would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from weakref import WeakKeyDictionary

import numpy as np
import onnx
import torch
from counting import multiply_adds
from safetensors.torch import load_file, save_file
from zoo.drawn import Drawn, drawn, of_module, same_distribution
from zoo.record import note

import netc
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.dims import evaluate_dim, format_dim
from netc.compiler.weights.initial import draw_initial_values
from tests.parity import executed

SPECS = Path(__file__).parents[2] / "specs"
TOLERANCE = 1e-4
FRAMEWORK_TOLERANCE = 1e-5
"""For the modules of Flax and MLX."""
HAS_FLAX = all(find_spec(package) is not None for package in ("jax", "flax"))
HAS_MLX = find_spec("mlx") is not None
COMPARES_FRAMEWORKS = False
"""Whether models are compared in JAX and MLX too. conftest.py sets it: to compile a model for JAX takes longer than all else here."""

PUBLISHED = ("vision/", "text/")
"""The specs whose references are published: they are initialized alike. Papers seldom say how."""

Inputs = Mapping[str, torch.Tensor]
DRAWN_OTHERWISE = ("text/mamba.net", "text/rwkv.net")
"""Published ones that are not yet: the steps and decays of their recurrences start as in no distribution that PyTorch has."""
_fresh: WeakKeyDictionary[torch.nn.Module, dict[str, Drawn]] = WeakKeyDictionary()
"""The statistics of references before anything of them was changed."""


def images(*sizes: tuple[int, int, int]) -> list[dict[str, torch.Tensor]]:
    """Random images, one batch for each (batch, height, width)."""
    generator = torch.Generator().manual_seed(0)
    return [{"input": torch.randn(n, 3, h, w, generator=generator)} for n, h, w in sizes]


def settle(module: torch.nn.Module) -> torch.nn.Module:
    """The reference ready to be compared: in eval mode, with statistics and affine parameters that are not the trivial ones."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(1 + torch.rand(tensor.shape, generator=generator) / 4)
            elif name.endswith("running_mean"):
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / 8)
    return module.eval()


def scatter(module: torch.nn.Module) -> torch.nn.Module:
    """The reference in eval mode, with no parameter that is still all zeros, all ones or all anything: what is left out would not show."""
    _fresh[module] = of_module(module)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            if bool((parameter == parameter.flatten()[0]).all()):
                parameter.add_(torch.randn(parameter.shape, generator=generator) / 8)
    return module.eval()


def tokens(vocabulary: int, *sizes: tuple[int, int]) -> list[dict[str, torch.Tensor]]:
    """Random texts, one batch for each (batch, length), under the name `tokens`."""
    generator = torch.Generator().manual_seed(0)
    return [{"tokens": torch.randint(vocabulary, size, generator=generator)} for size in sizes]


def check(
    spec: str,
    model: str | None,
    reference: torch.nn.Module,
    batches: Sequence[Inputs],
    folder: Path,
    *,
    call: Callable[[torch.nn.Module, Inputs], object] | None = None,
    left_out: Callable[[str], bool] = lambda name: False,
    params: Mapping[str, object] | None = None,
    tolerance: float = TOLERANCE,
    framework_tolerance: float = FRAMEWORK_TOLERANCE,
) -> None:
    """Raises AssertionError unless the spec is the reference, in Flax and MLX up to `framework_tolerance` where they are compared.

    `left_out` selects the names of the reference's state dict that the spec omits on purpose. `call` runs the reference; otherwise it takes
    the inputs by position.
    """
    ours = same_parameters(spec, model, reference, left_out=left_out, params=params)
    if spec.startswith(PUBLISHED) and spec not in DRAWN_OTHERWISE:
        same_initial_values(ours, _fresh.get(reference) or of_module(reference))
    run = call or by_position
    same_cost(ours, reference, next(inputs for inputs in batches if sizes(ours, inputs).get("N", 1) == 1), run)
    with torch.no_grad():
        wanted = [run(reference, inputs) for inputs in batches]
    path = folder / "weights.safetensors"
    save_file({n: t.clone(memory_format=torch.contiguous_format) for n, t in reference.state_dict().items() if not left_out(n)}, path)
    # One after the other is made, run and forgotten: the largest would not fit into memory together.
    worst = close("module", results(ours.module(weights=path).eval(), batches), wanted, tolerance)
    worst = max(worst, close("source", results(executed(ours, load_file(path)), batches), wanted, tolerance))
    worst = max(worst, close("ONNX", results(exported(ours, path), batches), wanted, tolerance))
    has_flax, has_mlx = HAS_FLAX and COMPARES_FRAMEWORKS, HAS_MLX and COMPARES_FRAMEWORKS
    in_jax = close("Flax", results_in_jax(ours, path, batches), wanted, framework_tolerance) if has_flax else None
    in_mlx = close("MLX", results_in_mlx(ours, path, batches), wanted, framework_tolerance) if has_mlx else None
    note(spec, ours, reference, left_out, worst, in_jax, in_mlx)


def results_in_jax(ours: netc.Model, weights: Path, batches: Sequence[Inputs]) -> list[object]:
    """What the module of Flax gives for each batch, with the weights of the reference's file."""
    import jax

    with jax.default_matmul_precision("highest"):
        module = ours.flax(weights=weights)
        module.eval()
        return [module(*(jax.numpy.asarray(tensor.numpy()) for tensor in inputs.values())) for inputs in batches]


def results_in_mlx(ours: netc.Model, weights: Path, batches: Sequence[Inputs]) -> list[object]:
    """What the module of MLX gives for each batch, with the weights of the reference's file."""
    from netc.compiler.backends.mlx.live_mlx import to_mlx, to_numpy

    module = ours.mlx(weights=weights)
    module.eval()

    def convert(result: object) -> object:
        return tuple(convert(part) for part in result) if isinstance(result, (tuple, list)) else to_numpy(result)

    return [convert(module(*(to_mlx(tensor.numpy()) for tensor in inputs.values()))) for inputs in batches]


def same_initial_values(ours: netc.Model, wanted: Mapping[str, Drawn]) -> None:
    """Raises AssertionError unless the initial weights of ONNX models, and those that the emitted source draws, are as the reference's."""
    arrays = draw_initial_values(ours.parameters, 1)
    same_distribution({name: drawn(arrays.pop(name)) for name, info in ours.parameters.items() if info.trainable}, wanted)
    torch.manual_seed(1)
    same_distribution(of_module(ours.module()), wanted)


def exported(ours: netc.Model, weights: Path) -> OnnxSession:
    """The ONNX model in ONNX Runtime, after ONNX's own checker has seen it: as files, since over two gigabytes both read nothing else."""
    path = weights.with_name("model.onnx")
    ours.save(path, weights=weights)
    onnx.checker.check_model(str(path), full_check=True)
    return OnnxSession(path)


def by_position(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(*inputs.values())


def results(run: Callable[..., object], batches: Sequence[Inputs]) -> list[object]:
    """What a module or a session gives for each batch."""
    with torch.no_grad():
        found = [run(*inputs.values()) for inputs in batches]
    return [tuple(f.values()) if isinstance(f, dict) else f for f in found]


def same_cost(ours: netc.Model, reference: torch.nn.Module, inputs: Inputs, run: Callable[[torch.nn.Module, Inputs], object]) -> None:
    """Raises AssertionError unless the multiply-adds for a batch of one are those that PyTorch counts for the reference, to a hundredth.

    The reference may be on the meta device, without numbers.
    """
    device = next(reference.parameters()).device
    moved = {name: tensor.to(device) for name, tensor in inputs.items()}
    wanted = multiply_adds(lambda: run(reference, moved))
    found = evaluate_dim(ours.summary().totals.multiply_adds, sizes(ours, inputs))
    assert abs(found - wanted) <= wanted / 100, f"{found:,} multiply-adds, the reference needs {wanted:,}"


def sizes(ours: netc.Model, inputs: Inputs) -> dict[str, int]:
    """The size of each symbolic dimension."""
    shapes = ((type.shape, tensor.shape) for type, tensor in zip(ours.inputs.values(), inputs.values(), strict=True))
    return {format_dim(dim): size for shape in shapes for dim, size in zip(*shape, strict=True) if format_dim(dim).isidentifier()}


def tables(spec: str, model: str | None, reference: torch.nn.Module, params: Mapping[str, object] | None = None) -> None:
    """Raises AssertionError unless the constants that the state dict holds are the reference's before any weights are loaded."""
    found = netc.compile_file(SPECS / spec, model=model, params=dict(params or {})).module().state_dict()
    for name, wanted in reference.named_buffers():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            assert found[name].dtype == wanted.dtype, name
            close(name, [found[name]], [wanted], 1e-6)


def same_parameters(
    spec: str,
    model: str | None,
    reference: torch.nn.Module,
    *,
    left_out: Callable[[str], bool] = lambda name: False,
    params: Mapping[str, object] | None = None,
) -> netc.Model:
    """The model, if its parameters have the names and shapes of the reference's, which may be on the meta device, without numbers."""
    ours = netc.compile_file(SPECS / spec, model=model, params=dict(params or {}))
    wanted = {name: tuple(tensor.shape) for name, tensor in reference.state_dict().items() if not left_out(name)}
    assert {name: tuple(parameter.shape) for name, parameter in ours.parameters.items()} == wanted
    note(spec, ours, reference, left_out)
    return ours


def in_training(spec: str, reference: torch.nn.Module, batches: Sequence[Inputs], params: Mapping[str, object], results: int) -> None:
    """Raises AssertionError unless the module has the reference's number of results in training, and these. Nothing in it is random."""
    ours = netc.compile_file(SPECS / spec, params=dict(params)).module(weights=reference.state_dict()).train()
    reference.train()
    for inputs in batches:
        wanted = _several(by_position(reference, inputs))
        assert len(wanted) == results
        close("module in training", [ours(*inputs.values())], [tuple(wanted)], TOLERANCE)
    theirs = reference.state_dict()
    close("statistics", [tuple(ours.state_dict()[name] for name in theirs)], [tuple(theirs.values())], TOLERANCE)


def close(what: str, found: Sequence[object], wanted: Sequence[object], tolerance: float) -> float:
    """The largest difference of the results for any batch, relative to the largest number of the reference's; no more than `tolerance`."""
    worst = 0.0
    pairs = (pair for batch in zip(found, wanted, strict=True) for pair in zip(*map(_several, batch), strict=True))
    for index, (left, right) in enumerate(pairs):
        scale = max(float(right.abs().max()), 1e-6)
        difference = float((left - right).abs().max())
        assert difference <= tolerance * scale, f"{what}, result {index}: {difference} of {scale}"
        worst = max(worst, difference / scale)
    return worst


def _several(results: object) -> list[torch.Tensor]:
    many = results if isinstance(results, (tuple, list)) else (results,)
    return [r.detach() if isinstance(r, torch.Tensor) else torch.as_tensor(np.asarray(r)) for r in many]
