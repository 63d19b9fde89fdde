"""The guards of exported programs, `.pt2` files: a spec accepts the sizes that the program accepts, and PyTorch's program is the judge."""

from __future__ import annotations

import itertools
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from frontends.written import Of
from torch import Tensor, nn
from torch.export import Dim

import netc
from netc.compiler.dims import make_symbol
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.torch.guard_code import UnreadGuard, read_guard
from netc.importing.exported_program import make_exported_origin
from netc.importing.run_import import ImportedSpec, import_spec

pytestmark = pytest.mark.filterwarnings("ignore")

AUTO = Dim.AUTO
Shape = tuple[int, ...]


def _save_program(path: Path, module: nn.Module, args: tuple[Any, ...], dims: Any, **options: Any) -> Any:
    torch.export.save(torch.export.export(module.eval(), args, dynamic_shapes=dims, **options), path)
    return torch.export.load(path)


def _import_file(path: Path) -> ImportedSpec:
    return import_spec(make_exported_origin(str(path)))


def _computes(call: Callable[[], object]) -> bool:
    try:
        call()
    except Exception:  # PyTorch's guards are assertions, and other checks raise RuntimeError
        return False
    return True


def _windows(_: Any, x: Tensor) -> Tensor:
    n, h, w, c = x.shape
    return x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)


def _branch(condition: Callable[..., bool]) -> Callable[..., Tensor]:
    return lambda _, x, *more: x * 2 if condition(x.shape[1], *(y.shape[1] for y in more)) else x


CASES: list[tuple[Callable[..., Any], list[Shape], list[tuple[int, ...]]]] = [
    (_branch(lambda t: t == 96), [(2, 8, 4)], [(1,)]),
    (_branch(lambda t: t % 3 == 1), [(2, 7, 4)], [(1,)]),
    (_branch(lambda t: 5 < t < 10), [(2, 7, 4)], [(1,)]),
    (_branch(lambda t: t < 5 or t > 10), [(2, 12, 4)], [(1,)]),
    (_branch(lambda t: t**0.5 < 4), [(2, 8, 4)], [(1,)]),
    (_branch(lambda t: round(t * 0.3) == 2), [(2, 7, 4)], [(1,)]),
    (_branch(lambda t, s: t > s), [(2, 8, 4), (2, 4, 4)], [(1,), (1,)]),
    (_branch(lambda t, s: t * s < 60), [(2, 8, 4), (2, 4, 4)], [(1,), (1,)]),
    (_branch(lambda t, s: t / s < 3), [(2, 8, 4), (2, 4, 4)], [(1,), (1,)]),
    (_branch(lambda t, s: t != s + 1), [(2, 8, 4), (2, 4, 4)], [(1,), (1,)]),
    (lambda _, x, y: x + y, [(2, 8, 4), (2, 8, 4)], [(1,), (1,)]),
    (lambda _, x: x.reshape(2, -1, 2, 4).sum(2), [(2, 8, 4)], [(1,)]),
    (_windows, [(2, 8, 8, 3)], [(0, 1, 2)]),
    (lambda _, x: F.max_pool2d(F.avg_pool2d(x, 2), 3, 2), [(2, 3, 32, 48)], [(2, 3)]),
    (lambda _, x: F.pad(x, (0, 0, 0, -x.shape[1] % 4)).unflatten(1, (-1, 4)).mean(2), [(2, 8, 4)], [(1,)]),
]


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("case", range(len(CASES)))
@pytest.mark.sample(5)
def test_a_spec_accepts_the_sizes_of_the_program(case: int, strict: bool, tmp_path: Path) -> None:
    function, shapes, axes = CASES[case]
    dims = (tuple(dict.fromkeys(numbers, AUTO) for numbers in axes),)
    program = _save_program(tmp_path / "net.pt2", Of(function), tuple(map(torch.rand, shapes)), dims, strict=strict).module()
    session = _import_file(tmp_path / "net.pt2").model.session()
    varied = [(index, axis) for index, numbers in enumerate(axes) for axis in numbers]
    points = list(itertools.product(range(1, 26), repeat=len(varied)))
    answers = set()
    for point in [*random.Random(case).sample(points, min(len(points), 60)), (96,) * len(varied)]:
        sizes = [list(shape) for shape in shapes]
        for (index, axis), size in zip(varied, point, strict=True):
            sizes[index][axis] = size
        inputs = [torch.rand(size) for size in sizes]
        accepts = _computes(lambda inputs=inputs: program(*inputs))
        assert _computes(lambda inputs=inputs: session(*(x.numpy() for x in inputs))) == accepts, (point, accepts)
        answers.add(accepts)
    assert answers == {True, False}


def test_ranges_and_derived_dimensions(tmp_path: Path) -> None:
    t = Dim("t", min=2, max=50)
    _save_program(tmp_path / "odd.pt2", Of(lambda _, x: x * 2), (torch.rand(2, 7, 4),), (({1: 2 * t + 1},),))
    text = _import_file(tmp_path / "odd.pt2").text
    assert "where A % 2 == 1, A >= 5, A <= 101" in text
    _save_program(
        tmp_path / "two.pt2", Of(lambda _, x, y: (x.sum(1), y)), (torch.rand(2, 4, 4), torch.rand(2, 9, 4)), (({1: t}, {1: 2 * t + 1}),)
    )
    assert "[2, 2 * A + 1, 4]" in _import_file(tmp_path / "two.pt2").text


def test_the_weights_of_the_file_stay(tmp_path: Path) -> None:
    layers = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    program = _save_program(tmp_path / "net.pt2", layers, (torch.rand(2, 4),), ({0: Dim("n")},))
    model = _import_file(tmp_path / "net.pt2").model
    assert model.weights is not None
    for key, tensor in program.state_dict.items():
        np.testing.assert_array_equal(model.weights[key], tensor.detach().numpy())
    x = torch.rand(5, 4)
    torch.testing.assert_close(model.module().eval()(x), program.module()(x))


def test_arguments_that_are_no_tensors(tmp_path: Path) -> None:
    def function(_: Any, x: Tensor, factor: int, shift: float, name: str, flag: bool, nothing: None) -> Tensor:
        return x * factor + shift if flag and name == "a" and nothing is None else x

    args = (torch.rand(2, 4), 3, 0.25, "a", True, None)
    program = _save_program(tmp_path / "net.pt2", Of(function), args, (({0: Dim("n")}, None, None, None, None, None),)).module()
    x = torch.rand(5, 4)
    torch.testing.assert_close(_import_file(tmp_path / "net.pt2").model.module()(x), program(x, *args[1:]))


def test_a_program_without_examples(tmp_path: Path) -> None:
    exported = torch.export.export(Of(lambda _, x, k: {"y": x["a"] * k}), ({"a": torch.rand(2, 4)}, 3))
    exported.example_inputs = None
    torch.export.save(exported, tmp_path / "net.pt2")
    assert "* 3" in _import_file(tmp_path / "net.pt2").text


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4), nn.GELU()),
        nn.Sequential(nn.Flatten(2), nn.TransformerEncoderLayer(64, 2, 16, batch_first=True)),
        nn.Sequential(nn.GroupNorm(2, 4), nn.LayerNorm(8), nn.Softmax(-1)),
    ],
)
def test_decomposed_programs(module: nn.Module, tmp_path: Path) -> None:
    x = torch.rand(3, 4, 8, 8)
    exported = torch.export.export(module.eval(), (torch.rand(2, 4, 8, 8),), dynamic_shapes=({0: Dim("n")},)).run_decompositions()
    torch.export.save(exported, tmp_path / "net.pt2")
    with torch.no_grad():
        torch.testing.assert_close(_import_file(tmp_path / "net.pt2").model.module().eval()(x), module(x))


def test_graphs_inside_of_a_graph_are_refused(tmp_path: Path) -> None:
    def function(_: Any, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x,))

    _save_program(tmp_path / "net.pt2", Of(function), (torch.rand(2, 4),), None)
    with pytest.raises(ImportFailed, match="runs graphs of its own"):
        make_exported_origin(str(tmp_path / "net.pt2"))
    with pytest.raises(ImportFailed, match="runs graphs of its own"):
        netc.from_torch(Of(function), torch.rand(2, 4))


def _edit_program(path: Path, to: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith("models/model.json"):
                described = json.loads(content)
                change(described)
                content = json.dumps(described).encode()
            new.writestr(name, content)
    return to


@pytest.fixture(scope="module")
def small_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "net.pt2"

    class Net(nn.Module):
        def forward(self, x: Tensor, *, y: Tensor) -> Tensor:
            return x + y

    torch.export.save(torch.export.export(Net(), (torch.rand(2, 4),), {"y": torch.rand(2, 4)}), path)
    return path


def test_guards_are_not_executed(small_program: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    code = f"__import__('pathlib').Path({str(ran)!r}).touch() is None"
    path = _edit_program(small_program, tmp_path / "net.pt2", lambda program: program.update(guards_code=[code, "2 ** 9999999999 > 1"]))
    text = _import_file(path).text
    assert text.count("The program refuses sizes that break") == 2
    assert not ran.exists()


def test_names_are_not_executed(small_program: Path, tmp_path: Path) -> None:
    code = "x=print('ran')"

    def rename_input(program: dict[str, Any]) -> None:
        program["graph_module"]["graph"]["inputs"][0]["as_tensor"]["name"] = code

    def rename_argument(program: dict[str, Any]) -> None:
        program["graph_module"]["module_call_graph"][0]["signature"]["forward_arg_names"] = [code]

    def rename_keyword(program: dict[str, Any]) -> None:
        signature = program["graph_module"]["module_call_graph"][0]["signature"]
        signature["in_spec"] = signature["in_spec"].replace('\\"y\\"', json.dumps(json.dumps(code))[1:-1])

    for number, change in enumerate((rename_input, rename_argument, rename_keyword)):
        path = _edit_program(small_program, tmp_path / f"{number}.pt2", change)
        with pytest.raises(ImportFailed, match="is no name of a tensor"):
            make_exported_origin(str(path))


@pytest.mark.parametrize(
    "text",
    [
        "T",
        "os.system('x')",
        "L['x'].size()[0]",
        "f(3) > 2",
        "2 ** L['x'].size()[0] > 3",
        "1 <",
        "1 < 2 < 3",
        "True",
        "((10 ** 64) ** 64) ** 64 > L['x'].size()[0]",
    ],
)
def test_other_texts_are_no_guards(text: str) -> None:
    with pytest.raises(UnreadGuard):
        read_guard(text, {"L['x'].size()[0]": make_symbol("T")})
