"""Exported programs, `.pt2` files: those that torch.export writes are imported, those that would execute something are refused."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing import archives
from netc.importing.exported_program import make_exported_origin
from netc.importing.run_import import import_spec

pytestmark = pytest.mark.filterwarnings("ignore")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(4, 2)
        self.register_buffer("scale", torch.rand(4))
        self.register_buffer("shift", torch.rand(4), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).flatten(2).mean(2) * self.scale + self.shift + torch.tensor([1.0, 2.0, 3.0, 4.0]))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "net.pt2"
    dims = ({0: torch.export.Dim("n"), 2: torch.export.Dim("h", min=8)},)
    torch.export.save(torch.export.export(Net().eval(), (torch.randn(2, 3, 9, 9),), dynamic_shapes=dims), path)
    return path


def changed(path: Path, to: Path, change: Callable[[str, bytes], bytes], **more: bytes) -> str:
    """The archive with other entries, the files of `more` in the folder of constants."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(to, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, content in more.items():
            new.writestr(f"net/data/constants/{name}", content)
    return str(to)


def described(change: Callable[[dict[str, Any]], None]) -> Callable[[str, bytes], bytes]:
    """Another description of the program."""

    def apply(name: str, content: bytes) -> bytes:
        if not name.endswith("models/model.json"):
            return content
        made = json.loads(content)
        change(made)
        return json.dumps(made).encode()

    return apply


def refused(path: str) -> str:
    with pytest.raises(ImportFailed) as caught:
        make_exported_origin(path)
    return str(caught.value)


def test_what_torch_export_writes(exported: Path) -> None:
    made = import_spec(make_exported_origin(str(exported)))
    assert "conv 4 3x3 stride=2" in made.text
    assert made.proof is not None


RAN: list[str] = []


class Runs:
    def __reduce__(self) -> Any:
        return (RAN.append, ("it ran",))


def test_pickles_are_data(exported: Path, tmp_path: Path) -> None:
    torch.save({"x": Runs()}, tmp_path / "inputs.pt")
    content = (tmp_path / "inputs.pt").read_bytes()
    path = changed(exported, tmp_path / "a.pt2", lambda name, old: content if "sample_inputs" in name else old)
    assert "more than tensors" in refused(path)
    path = changed(exported, tmp_path / "b.pt2", lambda _, old: old, opaque_obj_0=pickle.dumps(Runs()))
    assert "more than tensors" in refused(path)
    assert not RAN


def test_pickled_weights_that_say_they_are_none(exported: Path, tmp_path: Path) -> None:
    def pickled(name: str, content: bytes) -> bytes:
        return content.replace(b'"use_pickle": false', b'"use_pickle": true') if name.endswith("weights_config.json") else content

    assert "pickle" in refused(changed(exported, tmp_path / "a.pt2", pickled))


@pytest.mark.parametrize(
    "target", ["torch.hub.load", "torch.load", "_operator.methodcaller", "os.system", "#custom:x", "torch.ops.mine.x.y"]
)
def test_functions_that_are_no_operators(exported: Path, tmp_path: Path, target: str) -> None:
    def other(program: dict[str, Any]) -> None:
        program["graph_module"]["graph"]["nodes"][0]["target"] = target

    found = refused(changed(exported, tmp_path / "a.pt2", described(other)))
    assert f"`{target}` is no operator of PyTorch" in found


@pytest.mark.parametrize(
    "formula", ["__import__('os').getcwd()", "(lambda: 3)()", "sympify('1')", "Symbol('a b')", "x[0]", "lambdify(x)", "1 +"]
)
def test_sizes_that_are_no_formulas(exported: Path, tmp_path: Path, formula: str) -> None:
    def other(program: dict[str, Any]) -> None:
        program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]["as_expr"]["expr_str"] = formula

    assert "is no formula of sizes" in refused(changed(exported, tmp_path / "a.pt2", described(other)))


@pytest.mark.parametrize("formula", ["Symbol('s0', positive=True, integer=True)", "2*s0 + 1", "Max(Integer(1), FloorDiv(s0, 2))", "s0 % 3"])
def test_formulas_of_sizes(formula: str) -> None:
    assert archives._is_formula(formula)


def test_only_numbers_that_are_declared_plain_are_not_unpickled() -> None:
    """Everything else is checked for code."""
    listed = {
        "plain": {"path_name": "weight_0", "use_pickle": False},
        "pickled": {"path_name": "weight_1", "use_pickle": True},
        "not said": {"path_name": "weight_2"},
        "an object": {"path_name": "custom_obj_0", "use_pickle": False},
        "no entry": "weight_3",
    }
    assert archives._list_raw_files({"config": listed}, "m/data/weights/model.json") == {"m/data/weights/weight_0"}
    for content in ([], {"config": []}, {}, None):
        assert archives._list_raw_files(content, "m/data/weights/model.json") == set()


def test_code_and_other_archives(exported: Path, tmp_path: Path) -> None:
    assert "code" in refused(changed(exported, tmp_path / "a.pt2", lambda _, old: old, **{"x.so": b"\x7fELF"}))
    (tmp_path / "b.pt2").write_bytes(b"not an archive")
    assert "no exported program" in refused(str(tmp_path / "b.pt2"))
    (tmp_path / "c.pt2").write_bytes(exported.read_bytes()[:-200])
    assert "the file" in refused(str(tmp_path / "c.pt2"))


def test_two_entries_of_one_name(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.pt2"
    path.write_bytes(exported.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(archive.namelist()[0], b"other")
    assert "several entries of one name" in refused(str(path))
