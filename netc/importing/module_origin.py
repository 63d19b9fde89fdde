"""Reads PyTorch modules as origins: `package.module:name`, `file.py:name`, or objects.

In: a name or a module, and its inputs. Out: an `Origin`. Always: a Python module is imported only if the user named it, because that runs
its code. A PyTorch module has its own weights again afterwards.
"""

from __future__ import annotations

import copy
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.frontends.torch import from_module
from netc.compiler.frontends.torch.distribution_checks import skip_distribution_checks
from netc.compiler.frontends.torch.export_program import FixedSize
from netc.compiler.frontends.torch.user_code import isolate_user_code
from netc.compiler.types.numpy_types import is_float, to_array, to_tensor
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import replace

from ..inputs.random_inputs import BATCH
from .first_difference import RecordedCall, list_tensors, record_calls
from .float64_reference import Float64Converter, NotEvaluated
from .loop_lengths import read_at_lengths
from .module_weights import PerturbedWeights, exchange_weights, fill_weights, list_state_tensors
from .origin import Origin
from .rounding import RandomRounding
from .training_mode import run_training_step

if TYPE_CHECKING:
    import torch

    from netc.compiler.dims import Condition
    from netc.compiler.frontends.imported_model import Imported
    from netc.compiler.types.numpy_types import Array

    from .input_declarations import DeclaredInputs
    from .training_mode import TrainingStep

T = TypeVar("T")


class NoModule(ValueError):
    """There is no module of this name, or it cannot be created."""


def load_named_module(name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
    """Load the module with a name, and call it with these arguments if it is a class or a function. Raises `NoModule`."""
    from torch import nn

    place, _, path = name.partition(":")
    target: Any = _import_place(place, name)
    for part in path.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            raise NoModule(f"`{place}` has no `{path}`{_suggest_names(target, part)}") from None
    if isinstance(target, nn.Module) and not arguments:
        return target
    if not callable(target) or isinstance(target, nn.Module):
        raise NoModule(f"`{name}` is no class or function that makes a module")

    try:
        with isolate_user_code():
            module = target(**arguments)
    except Exception as error:  # it is the user's code
        raise NoModule(f"`{name}` cannot be called: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise NoModule(f"`{name}` makes a {type(module).__name__}, and no torch.nn.Module")
    return module


def _import_place(place: str, name: str) -> Any:
    try:
        with isolate_user_code():
            return _import_file(place) if place.endswith(".py") else _import_module(place)
    except Exception as error:  # importing runs code
        if isinstance(error, ModuleNotFoundError) and error.name == place.partition(".")[0]:
            raise NoModule(
                f"`{name}`: there is no Python module `{error.name}`: install its package, or run netc in the folder that contains it"
            ) from error
        raise NoModule(f"`{name}`: `{place}` cannot be imported: {type(error).__name__}: {error}") from error


def _import_module(name: str) -> Any:
    """Import a Python module that is installed or in the working directory, as `python -m` does."""
    here = os.getcwd()
    # At the end, so that a file of the working directory does not shadow an installed package.
    sys.path.append(here)
    try:
        return import_module(name)
    finally:
        sys.path.remove(here)


def _import_file(path: str) -> Any:
    """Import a file as a Python module."""
    spec = spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _suggest_names(owner: object, name: str) -> str:
    names = find_similar_names(name, dir(owner))
    return f"; did you mean {' or '.join(f'`{n}`' for n in names)}?" if names else ""


def make_declared_origin(
    module: torch.nn.Module,
    inputs: DeclaredInputs,
    what: str,
    fixed: Mapping[str, Any],
    *,
    train: bool = False,
    sizes: Mapping[str, int] | None = None,
) -> Origin:
    """Make the origin of a module whose inputs were declared as in a spec.

    `fixed` are its other arguments, and `sizes` the example sizes. Without them, usual sizes are tried, smaller ones first. Raises
    `ImportFailed`.
    """
    origin: Origin | None = None
    failures: list[ImportFailed] = []
    for example in inputs.list_example_sizes(sizes or {}):
        if _fail_alike(failures):
            break  # larger examples change nothing
        try:
            candidate = _make_origin_at(module, inputs, what, fixed, example, train)
        except ImportFailed as failed:
            failures.append(failed)
            continue
        # Small examples can make torch.export find upper bounds that larger ones do not have.
        if origin is None or _count_upper_bounds(candidate) < _count_upper_bounds(origin):
            origin = candidate
        if not _count_upper_bounds(origin):
            break
    if origin is None:
        raise failures[0] if sizes else _add_example_help(failures[0], inputs)
    return origin


def _fail_alike(failures: Sequence[ImportFailed]) -> bool:
    """Return whether the last two examples failed for one reason, which other sizes will not change.

    A loop over time is written out for each length. So every example finds its own size to be the only one, and takes longer than the one
    before.
    """
    if len(failures) < 2:
        return False
    before, last = failures[-2:]
    if isinstance(before, FixedSize) and isinstance(last, FixedSize):
        return before.name == last.name and before.size != last.size
    return str(before) == str(last) and last.obstacles[0].what != "torch.export"


def _count_upper_bounds(origin: Origin) -> int:
    """Count the sizes with an upper bound. The bound may stem from the size of the example."""
    return sum(getattr(condition, "op", "") == "<=" for condition, _ in origin.imported.program.conditions)


def _add_example_help(failed: ImportFailed, inputs: DeclaredInputs) -> ImportFailed:
    """Add the option for other examples to a failure of torch.export."""
    if not inputs.symbols:
        return failed
    names = ",".join(f"{name}=..." for name in inputs.symbols)
    help_ = f"give sizes that the module takes with `--example {names}`"
    return ImportFailed(
        tuple(
            replace(obstacle, help=obstacle.help or help_) if obstacle.what == "torch.export" else obstacle for obstacle in failed.obstacles
        )
    )


def _make_origin_at(
    module: torch.nn.Module, inputs: DeclaredInputs, what: str, fixed: Mapping[str, Any], sizes: Mapping[str, int], train: bool
) -> Origin:
    import torch

    tensors = [torch.from_numpy(array) for array in inputs.draw_examples(sizes)]
    positional = tuple(t for name, t in zip(inputs.names, tensors, strict=True) if name is None)
    named: dict[str, Any] = {name: t for name, t in zip(inputs.names, tensors, strict=True) if name is not None}
    keys = [index if name is None else name for index, name in enumerate(inputs.names)]
    dims = dict(zip(keys, inputs.list_axes(), strict=True))
    return make_module_origin(module, positional, {**named, **fixed}, dims, what, train=train, stated=inputs.conditions, implied_batch=True)


def make_module_origin(
    module: torch.nn.Module,
    positional: Sequence[Any],
    named: Mapping[str, Any],
    dims: Mapping[str | int, Any] | None,
    what: str,
    *,
    train: bool = False,
    stated: Sequence[Condition] = (),
    implied_batch: bool | None = None,
) -> Origin:
    """Make the origin of a module from example arguments: tensors, and values that stay as they are.

    `dims` are the names of symbolic axes. With `train`, the origin can also do a step of training. For `stated` and `implied_batch`, see
    `from_module`. Raises `ImportFailed`.
    """
    begun = time.monotonic()
    try:
        imported = from_module(module, (tuple(positional), dict(named)), dims, train=train, stated=stated, implied_batch=implied_batch)
    except FixedSize as fixed:
        if train or not dims or fixed.name == BATCH:
            raise
        imported = read_at_lengths(module, (positional, named), dims, fixed, stated, implied_batch)
    return make_runner_origin(module, positional, named, what, imported, begun, train=train)


def make_runner_origin(
    module: torch.nn.Module,
    positional: Sequence[Any],
    named: Mapping[str, Any],
    what: str,
    imported: Imported,
    begun: float,
    *,
    train: bool = False,
) -> Origin:
    """Make the origin of a module that has been read. `begun` is the time at which reading began."""
    run = _ModuleRunner(module, positional, named)
    return Origin(
        what,
        imported,
        run,
        True,
        run.run_calls,
        time.monotonic() - begun,
        run_float64=run.run_float64,
        run_perturbed=None if run.is_half_precision else run.run_perturbed,
        run_step=run.run_step if train else None,
        examples=run.examples,
    )


class _ModuleRunner:
    """Runs a module with other inputs and weights, and leaves it as it was. It runs in evaluation mode, except for a step of training."""

    def __init__(self, module: torch.nn.Module, positional: Sequence[Any], named: Mapping[str, Any]) -> None:
        self.module, self.positional, self.named = module, tuple(positional), dict(named)

    def __call__(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        from torch._subclasses.fake_tensor import FakeTensor

        tensors = list_tensors(self._run_with(inputs, weights, lambda run: run()))
        if any(isinstance(tensor, FakeTensor) for tensor in tensors):
            why = "keeps a tensor of torch.export, which has no numbers, outside of its attributes, such as in a global cache"
            raise ImportFailed((Obstacle("the module", why, "", "fill the cache by a call of the module before the import"),))
        return [to_array(tensor) for tensor in tensors]

    @property
    def examples(self) -> list[Array]:
        """The tensors with which the module was called."""
        return [to_array(tensor) for tensor in list_tensors((self.positional, self.named))]

    @property
    def is_half_precision(self) -> bool:
        """Whether it computes with 16-bit floats."""
        import torch

        tensors = (*list_state_tensors(self.module).values(), *list_tensors((self.positional, self.named)))
        return any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in tensors)

    def run_float64(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        """Run the module in float64, including the tensors that its code creates. Raises `NotEvaluated`."""
        import torch

        usual = torch.get_default_dtype()
        wide = [array.astype(np.float64) if is_float(array) else array for array in inputs]
        try:
            # A copy, because converting to float64 and back would round the module's weights.
            double = copy.deepcopy(self.module).double()
            # `double` leaves complex parameters as they are.
            double._apply(lambda tensor: tensor.to(torch.complex128) if tensor.is_complex() else tensor)  # type: ignore[no-untyped-call]
        except Exception as error:  # it is the user's code
            raise NotEvaluated(f"{type(error).__name__}: {error}") from None
        try:
            torch.set_default_dtype(torch.float64)
            with torch.no_grad():
                fill_weights(double, weights)
            return _ModuleRunner(double, self.positional, self.named)(wide, {})
        except ImportFailed as error:
            raise NotEvaluated(str(error)) from None
        finally:
            torch.set_default_dtype(usual)

    def run_perturbed(self, inputs: Sequence[Array], weights: Mapping[str, Array], seed: int) -> list[Array]:
        """Run the module in float64 with rounding errors: all numbers of inputs and weights are half a digit of float32 off, and all
        results are rounded to float32 at random. Raises `NotEvaluated`."""
        off = Float64Converter(seed).convert_array
        with RandomRounding(seed):
            return self.run_float64([off(array) for array in inputs], PerturbedWeights(weights, seed))

    def run_calls(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[RecordedCall]:
        """Run the module, and return the calls of the modules inside."""
        return self._run_with(inputs, weights, lambda run: record_calls(self.module, run))

    def run_step(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> TrainingStep:
        """Run a step of training."""
        return self._run_with(inputs, weights, lambda run: run_training_step(self.module, run))

    def _run_with(self, inputs: Sequence[Array], weights: Mapping[str, Array], use: Callable[[Callable[[], Any]], T]) -> T:
        """Call `use` with a function that runs the module on these inputs and weights, and return its result."""
        import torch

        module = self.module
        modes = {inner: inner.training for inner in module.modules()}
        positional, named = self._call_arguments(inputs)
        try:
            module.eval()
            # With the drawn weights, parameters of distributions may be out of their range.
            with isolate_user_code(module), skip_distribution_checks(), torch.no_grad(), exchange_weights(module, weights):
                return use(lambda: module(*positional, **named))
        except Exception as error:  # it is the user's code
            why = f"fails in the comparison: {type(error).__name__}: {str(error)[:300]}"
            raise ImportFailed((Obstacle("the module", why, ""),)) from error
        finally:
            for inner, mode in modes.items():
                inner.training = mode

    def _call_arguments(self, inputs: Sequence[Array]) -> tuple[Any, Any]:
        import torch
        from torch.utils._pytree import tree_map_only

        arrays = iter(inputs)
        positional, named = tree_map_only(torch.Tensor, lambda _: to_tensor(next(arrays)), (self.positional, self.named))
        return positional, named
