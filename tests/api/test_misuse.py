"""Every public function and method, given what it does not take: `netc`'s own errors, or a `TypeError` or `ValueError` with a sentence.

The functions are found, not listed: `netc.__all__`, the public methods of the classes there, and of what these return. The arguments come
from the annotations; each is replaced by each of the values below, one at a time. An error counts as clear if netc raises it: an exception
of Python's own, from an attribute that is not there or an index, is none.
"""

from __future__ import annotations

import inspect
import linecache
import pickle
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import netc

ROOT = Path(netc.__file__).resolve().parents[1]
SPEC = "x = input [T, 4] -> dense 4\nx -> cumsum axis=1"
TRAINED = """model m {
  x = input 4
  y = x -> dense 1
}
train for m {
  target = input 1
  loss = (y, target) -> mse_loss
  optimizer sgd lr=0.1
  batch 2
  epochs 1
}
"""
BAD: tuple[Any, ...] = (None, True, 5, -1, 1.5, float("nan"), "", "\0", "nonsense", "\ud800", b"x", [], [None], {}, {5: 5}, {"a": object()})
BAD += (object(), print, torch.ones(2), np.ones(2), np.array(["a"]), 2**70, Path("missing"), range(3))


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Objects of each public class, and values for arguments without a default, by name."""
    folder = tmp_path_factory.mktemp("misuse")
    model = netc.compile(SPEC)
    (folder / "m.net").write_text(TRAINED)
    model.save(folder / "m.onnx")
    np.savez(folder / "data.npz", x=np.zeros((4, 4), np.float32), target=np.zeros((4, 1), np.float32))
    trained = netc.compile_file(folder / "m.net", model="m")
    stream, objective = model.stream("T"), trained.training()
    pieces = stream.session()
    return {
        "Model": model,
        "ModelStream": stream,
        "Pieces": pieces,
        "OnnxSession": model.session(),
        "Objective": objective,
        "Checkpoint": netc.Checkpoint(dict(model.module().state_dict())),
        "SpecSummary": model.summary(),
        "folder": folder,
        "values": {
            "text": SPEC,
            "path": str(folder / "m.onnx"),
            "name": "resnet18",
            "module": torch.nn.Linear(4, 4),
            "inputs": {"x": torch.ones(2, 4), "target": torch.ones(2, 1)},
            "dimension": "T",
            "runtime": "onnxruntime-genai",
            "program": "transformers",
            "folder": str(folder / "genai"),
            "source": {"a": np.ones(2)},
            "model": model,
            "state": pieces.begin(),
            "optimizer": torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], 0.1),
            "steps": 5,
            "values": {"input": np.ones((1, 2, 4), np.float32)},
            "kept": (),
            "infos": model.parameters,
            "seed": 0,
            "written": ["a.onnx"],
            "totals": objective.totals({"x": torch.ones(2, 4), "target": torch.ones(2, 1)}),
            "counts": objective.counts({"x": torch.ones(2, 4), "target": torch.ones(2, 1)}),
            "depth": 1,
            "samples": [0, 1],
            "stages": ["dense1"],
            "step": 0,
            "batches": [{"x": torch.ones(2, 4), "target": torch.ones(2, 1)}],
        },
    }


GRAPH = ("opset", "optimize", "metadata", "functions")
"""What `**options` takes."""
STEPS = ("set_parallel_module", "execute_file", "totals", "counts", "results", "forward")
"""Of an objective, what a step of training calls: nothing is checked there again."""
INHERITED = ("add_module",)
"""What PyTorch's modules have, with PyTorch's own errors: `module name can't be empty string`."""
SKIPPED = (*STEPS, *INHERITED, "match_parameters", "repeat", "read_result", "augment")


def own_methods(cls: type) -> Iterator[str]:
    """The public methods that netc itself defines, and the call."""
    for name, value in vars(cls).items():
        if inspect.isfunction(value) and (not name.startswith("_") or name == "__call__"):
            yield name


CLASSES = ("Model", "ModelStream", "Pieces", "OnnxSession", "Objective", "Checkpoint", "SpecSummary")
FUNCTIONS = [name for name in netc.__all__ if callable(getattr(netc, name)) and name not in ("CompileError", "Model", "train", "zoo")]


def is_clear(error: BaseException) -> bool:
    """Whether netc raised the error on purpose, in words."""
    if type(error).__module__.startswith("netc") or isinstance(error, OSError):
        return bool(str(error))
    frame = traceback.extract_tb(error.__traceback__)[-1]
    raised = "raise" in linecache.getline(frame.filename, frame.lineno or 0)
    binding = "argument" in str(error) and str(error).partition("(")[0].isprintable() and isinstance(error, TypeError)
    inside = Path(frame.filename).resolve().is_relative_to(ROOT) and "site-packages" not in frame.filename
    if isinstance(error, TypeError) and Path(frame.filename).name == "test_misuse.py":
        return binding  # wrong names of arguments: what Python says is clear
    return isinstance(error, (TypeError, ValueError)) and inside and raised and " " in str(error)


def arguments(function: Callable[..., Any], values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Valid values for what has no default, and the names of all arguments."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return {p.name: values[p.name] for p in named if p.default is p.empty}, [p.name for p in named]


def misuse(function: Callable[..., Any], values: dict[str, Any]) -> list[str]:
    """Where the errors of wrong arguments are not clear."""
    valid, names = arguments(function, values)
    extra = GRAPH if "**options" in str(inspect.signature(function)) else ()
    found = []
    for name in (*names, *extra):
        for bad in BAD:
            try:
                function(**{**valid, name: bad})
            except Exception as error:
                if not is_clear(error):
                    where = traceback.extract_tb(error.__traceback__)[-1]
                    found.append(
                        f"{name}={bad!r:.30}: {type(error).__name__}: {str(error)[:80]} ({Path(where.filename).name}:{where.lineno})"
                    )
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.sample(2)
def test_functions(name: str, places: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(places["folder"])
    assert misuse(getattr(netc, name), places["values"]) == []


@pytest.mark.parametrize("name", CLASSES)
def test_methods(name: str, places: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(places["folder"])
    one = places[name]
    found = {method: misuse(getattr(one, method), places["values"]) for method in own_methods(type(one)) if method not in SKIPPED}
    assert {method: wrong for method, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("name", ["session", "stream"])
def test_arrays_that_are_none(name: str, places: dict[str, Any]) -> None:
    """A session and a stream, called with anything for an array."""
    pieces, state = places["Pieces"], places["values"]["state"]
    call: Callable[[Any], object] = places["OnnxSession"] if name == "session" else lambda x: pieces(state, input=x)
    found = []
    for bad in BAD:
        try:
            call(bad)
        except Exception as error:
            if not is_clear(error):
                found.append(f"{bad!r:.30}: {error!r:.200}")
    assert found == []


def test_a_session_cannot_be_pickled(places: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="save the model"):
        pickle.dumps(places["OnnxSession"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1.5}, "`epochs` must be an integer or None, not float"),
        ({"steps": "3"}, "`steps` must be an integer or None, not str"),
        ({"batch": True}, "`batch` must be an integer or None, not bool"),
        ({"seed": [1]}, "`seed` must be an integer or None, not list"),
        ({"device": 0}, "`device` must be a str or None, not int"),
        ({"compile": "no"}, "`compile` must be a bool or None, not str"),
        ({"columns": 3}, "`columns` must be a mapping or None, not int"),
        ({"data_options": "size"}, "`data_options` must be a mapping or None, not str"),
        ({"epoch": 3}, "`train` has no argument `epoch`; did you mean `epochs`?"),
        ({"lr": 0.1}, "`train` has no argument `lr`"),
    ],
)
def test_options_of_a_training(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    """They are checked before the folder is made."""
    data: Any = {"x": np.zeros((4, 4), np.float32), "target": np.zeros((4, 1), np.float32)}
    with pytest.raises(TypeError, match=rf"^{re.escape(message)}$"):
        netc.train(netc.compile(TRAINED), data=data, output=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, path: model.module(seed="1"), "`seed` must be an integer or None, not str"),
        (lambda model, path: model.module(seed=True), "`seed` must be an integer or None, not bool"),
        (lambda model, path: model.save(path, opset=True), "`opset` must be an integer or None, not bool"),
        (lambda model, path: model.save(path, opset="18"), "`opset` must be an integer or None, not str"),
        (lambda model, path: model.save(path, optimize=1), "`optimize` must be a bool, not int"),
        (lambda model, path: model.save(path, functions=0), "`functions` must be a bool, not int"),
        (lambda model, path: model.save(path, metadata=[("a", "b")]), "`metadata` must be a mapping or None, not list"),
        (lambda model, path: model.save(path, metadata={1: "b"}), "metadata: a name must be a str, not int"),
        (lambda model, path: model.save(path, metadata={"a": 1}), "metadata: 'a' must be a str, not int"),
        (lambda model, path: netc.compile(SPEC, dims={"T": 2.0}), "dims: the size of 'T' must be an integer, not float"),
        (lambda model, path: netc.compile(SPEC, dtype="float16", keep_io=1), "`keep_io` must be a bool, not int"),
        (lambda model, path: netc.compile(SPEC, allow_paths="folder"), "allow_paths must be several paths, such as a list, not str"),
    ],
)
def test_types_of_arguments(call: Callable[[Any, str], object], message: str, places: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=rf"^{re.escape(message)}$"):
        call(places["Model"], str(tmp_path / "m.onnx"))
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model, path: model.module(seed=-1), "a seed must be from 0 to 2**63 - 1, not -1"),
        (lambda model, path: model.module(seed=2**63), f"a seed must be from 0 to 2**63 - 1, not {2**63}"),
        (lambda model, path: model.save(path, metadata={"": "b"}), "metadata: a name is empty"),
        (lambda model, path: model.save(path, metadata={"spec_hash": "b"}), "metadata: 'spec_hash' is written by netc"),
        (lambda model, path: model.save(path, metadata={"a": "\ud800"}), "metadata: 'a' is no text in UTF-8"),
        (lambda model, path: netc.compile(SPEC, dims={"T": 0}), "dims: the size of 'T' must be at least 1, not 0"),
        (lambda model, path: netc.compile(SPEC, keep_io=True), "keep_io needs a dtype, which sets the type of the rest of the model"),
        (lambda model, path: netc.compile("m.net"), "compile takes the text of a spec; for a file, call compile_file('m.net')"),
    ],
)
def test_values_of_arguments(call: Callable[[Any, str], object], message: str, places: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"^{re.escape(message)}$"):
        call(places["Model"], str(tmp_path / "m.onnx"))
    assert not (tmp_path / "m.onnx").exists()


def test_the_largest_seed_and_the_smallest_size(places: dict[str, Any]) -> None:
    places["Model"].module(seed=2**63 - 1)
    assert str(netc.compile(SPEC, dims={"T": 1}).outputs["output"]) == "[N, 1, 4]"


def test_integers_of_numpy(tmp_path: Path) -> None:
    data: Any = {"x": np.zeros((4, 4), np.float32), "target": np.zeros((4, 1), np.float32)}
    options: Any = {"epochs": np.int64(3), "batch": np.uint8(2), "seed": np.int32(1)}
    assert netc.train(netc.compile(TRAINED), data=data, output=tmp_path / "run", **options).steps == 6


@pytest.mark.parametrize("name", ["t", "class", "T T", "1", "", "Größe", "É", "T-1", 5])
def test_names_of_sizes(name: Any) -> None:
    """A spec has no such size, and PyTorch's own error for it is an assertion."""
    with pytest.raises(ValueError, match=r"`dims` has .* write a name in capital letters, such as 'T'"):
        netc.from_torch(torch.nn.Linear(3, 3), torch.ones(2, 4, 3), {0: ["N", name]})
