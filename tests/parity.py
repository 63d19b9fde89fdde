"""The comparison that all differential tests make: a model's PyTorch module, its executed source and every other backend that runs compute
what PyTorch computes when a person calls its functions (tests/differential/references), and the results have the inferred types.

PyTorch and the other backends' runtimes compute; nothing is compared with a stored number. Backends that do not run must write the model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

import netc
from netc.compiler.analysis.input_shapes import check_sizes
from netc.compiler.backends.backend import Executable, Session
from netc.compiler.backends.backend_registry import list_backends
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.dims import bounds, evaluate_dim, free_symbols
from netc.compiler.ir.graph_values import Value
from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record
from tests.differential.references.run import outputs
from tests.rounding import distances
from tests.widened import widened


class Distinct(Record):
    """Numbers that are all different along an axis."""

    axis: int


class Ascending(Record):
    """Numbers in order along the last axis."""


Arrays = dict[str, Any]
Limit = int | tuple[int, int] | Distinct | Ascending
BATCHES = (1, 3)
SEED = 7
NOISE = 8
"""The allowed distance between PyTorch and another runtime, of results that are not well conditioned, as a multiple of the distance that
one rounding at each step makes. Both round more than once in a kernel, and at random: of 280 results of random models, the largest ratio
was 2.1, and nine out of ten were at most 0.8."""
STEADY = 1e-6
"""Smaller differences, relative or absolute, are not examined."""
TOLERANCES = {"float64": 1e-9, "float32": 1e-5, "float16": 2e-2, "bfloat16": 1e-1}


def sizes_of(model: netc.Model, sizes: Mapping[str, Sequence[int]] | None = None) -> list[dict[str, int]]:
    """Two sizes for every symbolic dimension that `where` allows: those given, or the smallest two from 4 and 7 on."""
    names = sorted({n for t in model.inputs.values() for d in t.shape for n in free_symbols(d)})
    chosen: list[dict[str, int]] = []
    for index in range(2):
        env: dict[str, int] = {}
        for name in names:
            if sizes and name in sizes:
                env[name] = sizes[name][index]
            elif name == "N":
                env[name] = BATCHES[index]
            else:
                env[name] = _allowed(model, name)[index]
        chosen.append(env)
    return chosen


def _allowed(model: netc.Model, name: str) -> list[int]:
    fits = list(islice(allowed_sizes(model, name, (*range(4, 200), 1, 2, 3)), 4))
    return [fits[0], fits[min(3, len(fits) - 1)]]


def allowed_sizes(model: netc.Model, name: str, sizes: Iterable[int]) -> Iterator[int]:
    """Those that a symbolic dimension may have, as far as its own bounds and divisors say."""
    dim = next(d for t in model.inputs.values() for d in t.shape if name in free_symbols(d))
    low, high = bounds(dim)
    for size in sizes:
        try:
            value = evaluate_dim(dim, dict.fromkeys(free_symbols(dim), size))
        except (ValueError, ArithmeticError):
            continue
        if value == size and (low is None or value >= low) and (high is None or value <= high):
            yield size


def inputs_for(model: netc.Model, sizes: Mapping[str, int], seed: int = SEED, limits: Mapping[str, Limit] | None = None) -> Arrays:
    """Random arrays of the inputs' types. Integers lie below 2, or below the limit given for the input (from the first to below the
    second, if that is a pair)."""
    generator = np.random.default_rng(seed)
    arrays: Arrays = {}
    for name, type_ in model.inputs.items():
        shape = tuple(evaluate_dim(d, dict(sizes)) for d in type_.shape)
        arrays[name] = _array(generator, type_, shape, (limits or {}).get(name))
    return arrays


def _array(generator: np.random.Generator, type_: TensorType, shape: tuple[int, ...], limit: Limit | None) -> Any:
    if isinstance(limit, Distinct):
        return generator.random(shape).argsort(limit.axis) if shape else generator.integers(0, 9, shape)
    if isinstance(limit, Ascending):
        return np.sort(_array(generator, type_, shape, None))
    if type_.dtype.is_float and isinstance(limit, tuple):
        return generator.uniform(*limit, shape).astype(np.float32)
    if type_.dtype.is_float:
        return generator.standard_normal(shape).astype(np.float32)
    low, high = limit if isinstance(limit, tuple) else (0, 2 if limit is None else limit)
    if type_.dtype.kind == "bool":
        return generator.integers(min(low, 1), 2, shape).astype(bool)
    return generator.integers(low, high, shape)


def tensor(array: Any, type_: TensorType) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array)).to(getattr(torch, type_.dtype.name))


def run_module(module: torch.nn.Module, model: netc.Model, arrays: Arrays) -> list[torch.Tensor]:
    with torch.no_grad():
        out = module(*arguments(model, [tensor(arrays[n], t) for n, t in model.inputs.items()]))
    return flattened(out)


def arguments(model: netc.Model, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor | tuple[torch.Tensor, ...]]:
    """What a module takes: tensors, and lists of them."""
    left = iter(tensors)
    return [next(left) if isinstance(one, Value) else tuple(islice(left, len(one.values))) for one in model.program.main.grouped_inputs]


def flattened(out: Any) -> list[torch.Tensor]:
    """All tensors that a module returns."""
    return [out] if isinstance(out, torch.Tensor) else [tensor for part in out for tensor in flattened(part)]


def executed(model: netc.Model, arrays: Arrays) -> torch.nn.Module:
    """The text of `source()`, executed as a person would execute it, with these weights."""
    return executed_text(model.source(), arrays)


def executed_text(source: str, arrays: Arrays) -> torch.nn.Module:
    space: dict[str, Any] = {"__name__": "spec"}
    exec(compile(source, "spec.py", "exec"), space)
    classes = [v for v in space.values() if isinstance(v, type) and issubclass(v, torch.nn.Module) and v.__module__ == "spec"]
    module: torch.nn.Module = classes[-1]()
    module.load_state_dict(arrays)
    return module.eval()


def check_types(model: netc.Model, sizes: Mapping[str, int], outputs: Sequence[torch.Tensor]) -> None:
    """The inferred shapes and element types are the real ones."""
    for (name, type_), out in zip(model.outputs.items(), outputs, strict=True):
        assert tuple(out.shape) == tuple(evaluate_dim(d, dict(sizes)) for d in type_.shape), name
        assert str(out.dtype) == f"torch.{type_.dtype.name}", name


def close(name: str, left: torch.Tensor, right: torch.Tensor, dtype: str, tolerance: float | None = None) -> None:
    # Most results are equal to the last bit, which takes a twentieth of the time to find out. NaN is unequal to itself.
    if left.dtype == right.dtype and torch.equal(left, right):
        return
    allowed = tolerance if tolerance is not None else TOLERANCES.get(dtype, 0.0)
    torch.testing.assert_close(right.double(), left.double(), rtol=allowed, atol=allowed, equal_nan=True, msg=lambda m: f"{name}: {m}")


def _onnx_session(model: netc.Model) -> Session:
    """As ONNX Runtime takes it; as float32, where it lacks a kernel for bfloat16."""
    proto = model.onnx(seed=SEED)
    onnx.checker.check_model(proto, full_check=True)
    try:
        # What `model.session` makes of the same file. A second thread costs as much as the session, and computes nothing here.
        return OnnxSession(proto, check=partial(check_sizes, model.program), threads=1)
    except NoKernel:
        wider = widened(proto)
        if wider == proto:
            raise
        return OnnxSession(wider, threads=1)


SESSIONS: dict[str, Callable[[netc.Model], Session]] = {"onnx": _onnx_session}
"""Backends whose artifacts need preparation before they run."""


def sessions(model: netc.Model, export: bool = True, runtime: bool = True) -> dict[str, Session]:
    """The model in every backend that runs, by name. The other backends write it."""
    made: dict[str, Session] = {}
    for backend in list_backends():
        if isinstance(backend, Executable) and export and runtime:
            make = SESSIONS.get(backend.name)
            made[backend.name] = make(model) if make else backend.session(model.backend_input(seed=SEED))
    return made


class Targets:
    """A model's module, its executed source and its sessions in other backends, with the same weights.

    Without `export` there is no ONNX model; without `runtime` it is checked but not run: ONNX Runtime lacks a kernel for it on a CPU.
    """

    def __init__(self, model: netc.Model, export: bool = True, runtime: bool = True) -> None:
        self.model = model
        self.module = model.module(seed=SEED).eval()
        self.state = self.module.state_dict()
        assert {n: tuple(p.shape) for n, p in self.state.items()} == {n: tuple(p.shape) for n, p in model.parameters.items()}
        self.text = model.source()
        """The source that is executed."""
        self.source = executed_text(self.text, self.state)
        if export and not runtime:
            onnx.checker.check_model(model.onnx(seed=SEED), full_check=True)
        self.sessions = sessions(model, export, runtime)

    def compare(self, sizes: Mapping[str, int], arrays: Arrays, allowed: Allowed, without: Collection[str] = ()) -> None:
        """Raises AssertionError unless all but the backends `without` compute what PyTorch does, with numbers that differ by no more than
        is `allowed`."""
        fed = [tensor(arrays[n], t) for n, t in self.model.inputs.items()]
        wanted = self.wanted(sizes, fed)
        check_types(self.model, sizes, wanted)
        made = run_module(self.module, self.model, arrays)
        check_types(self.model, sizes, made)
        from_source = run_module(self.source, self.model, arrays)
        for index, (name, type_) in enumerate(self.model.outputs.items()):
            dtype = type_.dtype.name
            close(f"module, {name}", wanted[index], made[index], dtype, allowed(self, fed, index, wanted[index], made[index]))
            close(f"source, {name}", made[index], from_source[index], dtype, 0.0)
        for backend in self.sessions.keys() - set(without):
            results = _results(self.sessions[backend], fed, self.model)
            for index, (name, type_) in enumerate(self.model.outputs.items()):
                found = results[index]
                assert tuple(found.shape) == tuple(wanted[index].shape), f"{backend}, {name}"
                close(f"{backend}, {name}", wanted[index], found, type_.dtype.name, allowed(self, fed, index, wanted[index], found))

    def wanted(self, sizes: Mapping[str, int], fed: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """What PyTorch computes, when a person calls it."""
        return outputs(self.model.program, self.state, fed, sizes)


def _results(session: Session, fed: Sequence[torch.Tensor], model: netc.Model) -> list[torch.Tensor]:
    """The outputs by position: one that is an input too may have another name in the target."""
    results = session(*fed)
    found = [np.asarray(array) for array in (results.values() if isinstance(results, dict) else [results])]
    types = model.outputs.values()
    return [torch.as_tensor(a.astype(np.float64) if t.dtype.is_float else a) for a, t in zip(found, types, strict=True)]


Allowed = Callable[[Targets, list[torch.Tensor], int, torch.Tensor, torch.Tensor], float]
"""The allowed difference, relative and absolute: of targets, their arguments, the number of a result, its wanted and its found value."""


def within(tolerance: float | None) -> Allowed:
    """This much; None: as much as rounding causes in the element type, with numbers that are well conditioned."""

    def allowed(targets: Targets, fed: list[torch.Tensor], index: int, wanted: torch.Tensor, found: torch.Tensor) -> float:
        return TOLERANCES.get(str(wanted.dtype).removeprefix("torch."), 0.0) if tolerance is None else tolerance

    return allowed


def as_rounding_goes(targets: Targets, fed: list[torch.Tensor], index: int, wanted: torch.Tensor, found: torch.Tensor) -> float:
    """As much as rounding can change the result of these very arguments: see rounding.py."""
    return STEADY if _near(wanted, found) else max(STEADY, NOISE * distances(targets.module, fed)[index])


def agree(
    model: netc.Model,
    sizes: Mapping[str, Sequence[int]] | None = None,
    limits: Mapping[str, Limit] | None = None,
    tolerance: float | None = None,
    export: bool = True,
    runtime: bool = True,
    conditioned: bool = True,
) -> Targets:
    """Raises AssertionError unless all targets agree with PyTorch and with the inferred types, at two sets of sizes.

    What is not well `conditioned` may differ by as much as rounding can cause, and no `tolerance` counts.
    """
    targets = Targets(model, export, runtime)
    for env in sizes_of(model, sizes):
        targets.compare(env, inputs_for(model, env, limits=limits), within(tolerance) if conditioned else as_rounding_goes)
    return targets


@contextmanager
def slow_path() -> Iterator[None]:
    """Where a mask hides all keys from a query, the fast path of PyTorch's multi-head attention makes NaN, and the usual one 0."""
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def _near(left: torch.Tensor, right: torch.Tensor) -> bool:
    return torch.allclose(left.double(), right.double(), rtol=STEADY, atol=STEADY, equal_nan=True)
