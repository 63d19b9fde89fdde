"""A spec against the reference implementation that its users know: names, shapes, weights from a file, and outputs.

The reference computes; its random weights go through a .safetensors file, as a checkpoint would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from judge import executed
from safetensors.torch import save_file

import netc

SPECS = Path(__file__).parents[2] / "specs"
TOLERANCE = 1e-4

Inputs = Mapping[str, torch.Tensor]


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
) -> None:
    """Raises AssertionError unless the spec is the reference.

    `left_out` tells which names of the reference's state dict the spec leaves out on purpose. `call` runs the reference; otherwise it takes
    the inputs by position.
    """
    ours = same_parameters(spec, model, reference, left_out=left_out, params=params)
    state = {name: tensor.clone() for name, tensor in reference.state_dict().items() if not left_out(name)}
    path = folder / "weights.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, path)
    module = ours.module(weights=path).eval()
    again = executed(ours, module.state_dict())
    proto = ours.onnx(weights=path)
    onnx.checker.check_model(proto, full_check=True)
    session = ours.session(weights=path)
    for inputs in batches:
        with torch.no_grad():
            wanted = call(reference, inputs) if call else reference(*inputs.values())
            close("module", module(*inputs.values()), wanted, tolerance)
            close("source", again(*inputs.values()), wanted, tolerance)
        results = session(*(np.asarray(t) for t in inputs.values()))
        found = tuple(results.values()) if isinstance(results, dict) else results
        close("ONNX", found, wanted, tolerance)


def tables(spec: str, model: str | None, reference: torch.nn.Module, params: Mapping[str, object] | None = None) -> None:
    """Raises AssertionError unless the constants that the state dict holds are the reference's before any weights are loaded."""
    found = netc.compile_file(SPECS / spec, model=model, params=dict(params or {})).module().state_dict()
    for name, wanted in reference.named_buffers():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            assert found[name].dtype == wanted.dtype, name
            close(name, found[name], wanted, 1e-6)


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
    return ours


def close(what: str, found: object, wanted: object, tolerance: float) -> None:
    """Each result within `tolerance` of the largest number of the reference's."""
    pairs = zip(_several(found), _several(wanted), strict=True)
    for index, (left, right) in enumerate(pairs):
        scale = float(right.abs().max())
        difference = float((left - right).abs().max())
        assert difference <= tolerance * max(scale, 1e-6), f"{what}, result {index}: {difference} of {scale}"


def _several(results: object) -> list[torch.Tensor]:
    many = results if isinstance(results, (tuple, list)) else (results,)
    return [torch.as_tensor(np.asarray(r)) for r in many]
