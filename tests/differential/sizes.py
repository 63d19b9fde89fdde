"""Sizes at which a model may break: the declared shapes, PyTorch, the module and the session agree, or all refuse with the same words.

In: the text of a model with symbolic sizes. Out: nothing, or an AssertionError. Always: PyTorch says which sizes can be computed, called by
hand; what a `where` excludes, and an axis without elements that no `where` allows, is refused before. What PyTorch refuses because of drawn
numbers, such as an index that is out of range, says nothing of sizes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import torch

import netc
from netc.compiler.dims import evaluate_dim, free_symbols
from netc.compiler.types.tensor_types import BATCH
from tests.differential.references.run import outputs
from tests.differential.values import torch_alone
from tests.parity import SEED, Arrays, flattened, inputs_for, run_module, slow_path, tensor

SIZES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 17)
USUAL = 8
OF_NUMBERS = re.compile(r"out of (range|bounds|DATA)|smaller than num_classes|greater than input's length|value at most", re.IGNORECASE)
BY_CONDITION = re.compile(r"^`where .*` does not hold|^`\w+` must be at least|^the input .* must be")


def has_sizes(text: str) -> bool:
    """Whether an input has a symbolic size next to the batch."""
    return re.search(r"(?:\b|x)[A-MO-Z]\b(?!:)", text) is not None


def check_sizes_of(text: str, sizes: tuple[int, ...] = SIZES) -> None:
    model = netc.compile(text)
    module = model.module(seed=SEED).eval()
    session = None if torch_alone(model) else _session(model)
    for env in _environments(model, sizes):
        if "roi_align" in text and not env.get(BATCH, 1):
            continue  # torchvision's kernel reads an image that is not there
        try:
            arrays = inputs_for(model, env)
        except ValueError:  # less than nothing
            continue
        try:
            with slow_path():
                _check(model, module, session, env, arrays)
        except AssertionError as error:
            error.add_note(f"{text}; sizes: {env}")
            raise


def _session(model: netc.Model) -> Callable[..., object] | None:
    """None where ONNX Runtime has no kernel."""
    try:
        return model.session(seed=SEED)
    except Exception:
        return None


def _environments(model: netc.Model, sizes: tuple[int, ...]) -> Iterator[dict[str, int]]:
    """One symbol after the other has each of the sizes, then all of them."""
    names = sorted({n for t in model.inputs.values() for d in t.shape for n in free_symbols(d)})
    usual = {name: 2 if name == BATCH else USUAL for name in names}
    found = [usual | {name: size} for name in names for size in (sizes if name != BATCH else (0, 1))]
    found += [{name: 2 if name == BATCH else size for name in names} for size in sizes]
    yield from (dict(key) for key in dict.fromkeys(tuple(env.items()) for env in found))


def _attempt(run: Callable[[], list[torch.Tensor]]) -> list[torch.Tensor] | Exception:
    try:
        return run()
    except Exception as error:
        return error


def _check(
    model: netc.Model, module: torch.nn.Module, session: Callable[..., object] | None, env: Mapping[str, int], arrays: Arrays
) -> None:
    fed = [tensor(arrays[n], t) for n, t in model.inputs.items()]
    wanted = _attempt(lambda: outputs(model.program, module.state_dict(), fed, env))
    made = _attempt(lambda: run_module(module, model, arrays))
    ran = made if session is None else _attempt(lambda: _tensors(session(*fed)))
    if isinstance(wanted, Exception) and OF_NUMBERS.search(str(wanted)):
        return
    declared = [tuple(evaluate_dim(d, env) for d in t.shape) for t in model.outputs.values()]
    if env.get(BATCH) == 0:
        if session is not None:
            _check_empty(wanted, ran, declared)
        return
    if isinstance(made, Exception):
        assert isinstance(ran, Exception), f"the module refuses, the session does not: {made}"
        assert isinstance(made, ValueError), f"the module fails: {made}"
        assert session is None or str(ran) == str(made)
        possible = not isinstance(wanted, Exception) and [tuple(t.shape) for t in wanted] == declared
        assert BY_CONDITION.search(str(made)) or not possible, f"PyTorch computes what is refused: {made}"
        return
    assert not isinstance(wanted, Exception), f"PyTorch refuses what the module computes: {wanted}"
    assert not isinstance(ran, Exception), f"the session fails: {ran}"
    assert [tuple(t.shape) for t in wanted] == declared == [tuple(t.shape) for t in made] == [tuple(t.shape) for t in ran]


def _check_empty(wanted: list[torch.Tensor] | Exception, ran: list[torch.Tensor] | Exception, declared: list[tuple[int, ...]]) -> None:
    """Of a batch without samples, the session makes what is declared, or says that it cannot. (PyTorch's `pixel_unshuffle` makes another
    shape, and its kernels of Fourier transforms fail.)"""
    if isinstance(ran, Exception):
        assert isinstance(ran, ValueError), ran
        assert re.search(r"without elements|would make|needs", str(ran)) or BY_CONDITION.search(str(ran)), ran
    elif not isinstance(wanted, Exception):
        assert declared == [tuple(t.shape) for t in ran]


def _tensors(results: object) -> list[torch.Tensor]:
    return flattened([torch.as_tensor(a.astype("float64")) for a in (results.values() if isinstance(results, dict) else [results])])
