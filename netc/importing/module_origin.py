"""PyTorch modules: `package.module:name`, `file.py:name`, or objects.

In: a name or a module, and its inputs. Out: an `Origin`. Always: a module is imported only if it is named, since that runs its code; it is
given back with the weights that it had.
"""

from __future__ import annotations

import copy
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from netc.compiler.backends.torch.live.module import to_tensor as torch_tensor
from netc.compiler.frontends.imported_model import ImportFailed, Obstacle
from netc.compiler.frontends.torch import from_module
from netc.compiler.frontends.torch.exporting import FixedSize
from netc.compiler.frontends.torch.user_code import isolate_user_code
from netc.compiler.types.numpy_types import is_float, to_array, to_tensor
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import replace

from ..inputs.random_inputs import BATCH
from .first_difference import Call, calls_of, tensors_in
from .float64_reference import NotEvaluated, Numbers
from .loop_lengths import read_at_lengths
from .origin import Origin
from .rounding import RandomRounding
from .training_mode import step_of

if TYPE_CHECKING:
    import torch

    from netc.compiler.dims import Condition
    from netc.compiler.types.numpy_types import Array

    from .input_declarations import DeclaredInputs
    from .training_mode import Step

T = TypeVar("T")


class NoModule(ValueError):
    """There is no module of this name, or it cannot be made."""


def named_module(name: str, arguments: Mapping[str, Any]) -> torch.nn.Module:
    """The module that a name is, called with these arguments if it is a class or a function. Raises `NoModule`."""
    from torch import nn

    place, _, path = name.partition(":")
    found: Any = _imported(place, name)
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise NoModule(f"`{place}` has no `{path}`{_near(found, part)}") from None
    if isinstance(found, nn.Module) and not arguments:
        return found
    if not callable(found) or isinstance(found, nn.Module):
        raise NoModule(f"`{name}` is no class or function that makes a module")

    try:
        with isolate_user_code():
            made = found(**arguments)
    except Exception as error:  # it is the user's code
        raise NoModule(f"`{name}` cannot be called: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise NoModule(f"`{name}` makes a {type(made).__name__}, and no torch.nn.Module")
    return made


def _imported(place: str, name: str) -> Any:
    try:
        with isolate_user_code():
            return _file(place) if place.endswith(".py") else _import_module(place)
    except Exception as error:  # importing runs code
        raise NoModule(f"`{name}`: `{place}` cannot be imported: {type(error).__name__}: {error}") from error


def _import_module(name: str) -> Any:
    """The module of this name: installed, or a file or package of the working directory, as for `python -m`."""
    here = os.getcwd()
    sys.path.append(here)
    try:
        return import_module(name)
    finally:
        sys.path.remove(here)


def _file(path: str) -> Any:
    """The module that a file is."""
    spec = spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _near(found: object, name: str) -> str:
    names = find_similar_names(name, dir(found))
    return f"; did you mean {' or '.join(f'`{n}`' for n in names)}?" if names else ""


def declared_origin(
    module: torch.nn.Module,
    inputs: DeclaredInputs,
    what: str,
    fixed: Mapping[str, Any],
    *,
    train: bool = False,
    sizes: Mapping[str, int] | None = None,
) -> Origin:
    """The module as an origin, with inputs as a spec declares them; `fixed` are its other arguments, `sizes` the examples of symbolic
    sizes. Without those, usual ones are tried, smaller ones first. Raises `ImportFailed`."""
    origin: Origin | None = None
    failures: list[ImportFailed] = []
    for one in inputs.example_sizes(sizes or {}):
        if _fail_alike(failures):
            break  # larger examples change nothing
        try:
            found = _declared_origin(module, inputs, what, fixed, one, train)
        except ImportFailed as failed:
            failures.append(failed)
            continue
        if origin is None or _count_upper_bounds(found) < _count_upper_bounds(origin):
            origin = found
        if not _count_upper_bounds(origin):
            break
    if origin is None:
        raise failures[0] if sizes else _with_example(failures[0], inputs)
    return origin


def _fail_alike(failures: Sequence[ImportFailed]) -> bool:
    """Whether the last two examples fail for one reason, which others will not change. A loop over time is written out for each length, so
    that every example finds its own size to be the only one, and takes longer than the one before."""
    if len(failures) < 2:
        return False
    before, last = failures[-2:]
    if isinstance(before, FixedSize) and isinstance(last, FixedSize):
        return before.name == last.name and before.size != last.size
    return str(before) == str(last) and last.obstacles[0].what != "torch.export"


def _count_upper_bounds(origin: Origin) -> int:
    """The number of sizes with an upper bound. The bound may stem from the size of the example."""
    return sum(getattr(condition, "op", "") == "<=" for condition, _ in origin.imported.program.conditions)


def _with_example(failed: ImportFailed, inputs: DeclaredInputs) -> ImportFailed:
    """The failure; where torch.export is the one that fails, with the option that gives other examples."""
    if not inputs.symbols:
        return failed
    names = ",".join(f"{name}=..." for name in inputs.symbols)
    help_ = f"give sizes that the module takes with `--example {names}`"
    return ImportFailed(tuple(replace(one, help=one.help or help_) if one.what == "torch.export" else one for one in failed.obstacles))


def _declared_origin(
    module: torch.nn.Module, inputs: DeclaredInputs, what: str, fixed: Mapping[str, Any], sizes: Mapping[str, int], train: bool
) -> Origin:
    import torch

    tensors = [torch.from_numpy(array) for array in inputs.examples(sizes)]
    positional = tuple(t for name, t in zip(inputs.names, tensors, strict=True) if name is None)
    named: dict[str, Any] = {name: t for name, t in zip(inputs.names, tensors, strict=True) if name is not None}
    keys = [at if name is None else name for at, name in enumerate(inputs.names)]
    dims = dict(zip(keys, inputs.dims(), strict=True))
    return module_origin(module, positional, {**named, **fixed}, dims, what, train=train, stated=inputs.conditions, implied_batch=True)


def module_origin(
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
    """The module as an origin: its arguments are example tensors, and values that stay as they are. `dims` are the names of symbolic axes.
    With `train` it is also what the module does in training. `stated` and `implied_batch`: see `from_module`. Raises `ImportFailed`."""
    begun = time.monotonic()
    try:
        imported = from_module(module, (tuple(positional), dict(named)), dims, train=train, stated=stated, implied_batch=implied_batch)
    except FixedSize as fixed:
        if train or not dims or fixed.name == BATCH:
            raise
        imported = read_at_lengths(module, (positional, named), dims, fixed, stated, implied_batch)
    run = _Run(module, positional, named)
    seconds = time.monotonic() - begun
    moved = None if run.is_rounded else run.moved
    step = run.step if train else None
    return Origin(what, imported, run, True, run.calls, seconds, exact=run.exact, moved=moved, step=step, examples=run.examples)


class _Run:
    """Runs a module with given weights, in evaluation mode unless a step of training is asked for, and leaves it as it was. Tensors among
    its arguments are replaced by inputs."""

    def __init__(self, module: torch.nn.Module, positional: Sequence[Any], named: Mapping[str, Any]) -> None:
        self.module, self.positional, self.named = module, tuple(positional), dict(named)

    def __call__(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        return [to_array(tensor) for tensor in tensors_in(self._with(inputs, weights, lambda run: run()))]

    @property
    def examples(self) -> list[Array]:
        """The tensors with which the module was called."""
        return [to_array(tensor) for tensor in tensors_in((self.positional, self.named))]

    @property
    def is_rounded(self) -> bool:
        """Whether it computes with floats of 16 bits."""
        import torch

        tensors = (*self.module.state_dict().values(), *tensors_in((self.positional, self.named)))
        return any(tensor.dtype in (torch.float16, torch.bfloat16) for tensor in tensors)

    def exact(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        """What the module gives in float64, as are the tensors that its code makes. Raises `NotEvaluated`."""
        import torch

        usual = torch.get_default_dtype()
        wide = [array.astype(np.float64) if is_float(array) else array for array in inputs]
        try:
            double = copy.deepcopy(self.module).double()
        except Exception as error:  # it is the user's code
            raise NotEvaluated(f"{type(error).__name__}: {error}") from None
        try:
            torch.set_default_dtype(torch.float64)
            with torch.no_grad():
                fill_weights(double, weights)
            return _Run(double, self.positional, self.named)(wide, {})
        except ImportFailed as error:
            raise NotEvaluated(str(error)) from None
        finally:
            torch.set_default_dtype(usual)

    def moved(self, inputs: Sequence[Array], weights: Mapping[str, Array], seed: int) -> list[Array]:
        """The same with all numbers of the inputs and weights half a digit of float32 off, and all results rounded to float32 at random.
        Raises `NotEvaluated`."""
        off = Numbers(seed).array
        with RandomRounding(seed):
            return self.exact([off(array) for array in inputs], _Moved(weights, seed))

    def calls(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Call]:
        """The calls of the modules inside."""
        return self._with(inputs, weights, lambda run: calls_of(self.module, run))

    def step(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> Step:
        """A step of training."""
        return self._with(inputs, weights, lambda run: step_of(self.module, run))

    def _with(self, inputs: Sequence[Array], weights: Mapping[str, Array], use: Callable[[Callable[[], Any]], T]) -> T:
        """What `use` makes of a function that runs the module."""
        import torch

        module = self.module
        modes = {inner: inner.training for inner in module.modules()}
        positional, named = self._call_arguments(inputs)
        try:
            module.eval()
            with isolate_user_code(), torch.no_grad(), exchange_weights(module, weights):
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

        given = iter(inputs)
        positional, named = tree_map_only(torch.Tensor, lambda _: to_tensor(next(given)), (self.positional, self.named))
        return positional, named


@contextmanager
def exchange_weights(module: torch.nn.Module, weights: Mapping[str, Array]) -> Iterator[None]:
    """A module with these weights, which is as it was afterwards. Parameters change places with the arrays that they are given, so that
    large models are in memory twice and not four times. Buffers are copied, since the module may change them while it runs."""
    names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
    places: list[tuple[torch.Tensor, torch.Tensor]] = []
    kept: list[tuple[torch.Tensor, torch.Tensor]] = []
    seen: set[int] = set()

    def exchange(one: torch.Tensor, other: torch.Tensor) -> None:
        before = one.clone()
        one.copy_(other)
        other.copy_(before)

    try:
        for key, target in module.state_dict().items():
            if key not in weights:
                continue
            array = weights[key]
            given = torch_tensor(array)
            is_own = array.flags.writeable and array.flags.c_contiguous and given.dtype == target.dtype
            alone = target.numel() and target.data_ptr() not in seen and given.data_ptr() not in seen
            if key in names and is_own and alone and given.data_ptr() != target.data_ptr():
                exchange(target, given)
                places.append((target, given))
                seen.update((target.data_ptr(), given.data_ptr()))
            elif target.data_ptr() not in seen:
                kept.append((target, target.clone()))
                target.copy_(given)
        yield
    finally:
        for target, before in reversed(kept):
            target.copy_(before)
        for target, given in reversed(places):
            exchange(target, given)


def fill_weights(module: torch.nn.Module, values: Mapping[str, Array]) -> None:
    """Sets the tensors of a module, without what `load_state_dict` does for old checkpoints; one after the other, as each is converted."""
    for key, target in module.state_dict().items():
        if key in values:
            target.copy_(torch_tensor(values[key]))


class _Moved(Mapping[str, "Array"]):
    """Weights of which all numbers are half a digit of float32 off, each made when it is read: float64 takes twice the memory."""

    def __init__(self, weights: Mapping[str, Array], seed: int) -> None:
        self.weights, self.numbers = weights, Numbers(seed)

    def __getitem__(self, key: str) -> Array:
        return self.numbers.array(self.weights[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)
