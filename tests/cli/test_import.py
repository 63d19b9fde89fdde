"""`netc import`, and the commands that take models of other tools."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import netc
from netc.cli import cli

MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.a = nn.Linear(8, width)
        self.b = nn.Linear(width, 2)

    def forward(self, x, scale=1.0):
        return self.b(torch.relu(self.a(x))) * scale

class Counting(nn.Module):
    def forward(self, x):
        return x.nonzero()

class Joining(nn.Module):
    def __init__(self):
        super().__init__()
        self.downs = nn.ModuleList(nn.Conv2d(1, 1, 3, 2, 1) for _ in range(2))

    def forward(self, x):
        before = []
        for down in self.downs:
            before.append(x)
            x = down(x)
        while before:
            y = before.pop()
            if x.shape[-2:] != y.shape[-2:]:
                x = nn.functional.interpolate(x, size=y.shape[-2:])
            x = x + y
        return x

def broken():
    raise RuntimeError("no such thing")

number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODULE)
    return tmp_path


def run(*words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, words, prog_name="netc")
    assert result.exit_code == code, result.stdout + result.stderr
    return result


def test_module(folder: Path) -> None:
    said = run("import", "model.py:Net", "--input", "8", "--args", "width=6", "-o", "net.net").stderr
    assert "proved for N=2; N=3" in said
    assert (folder / "net.net").read_text().splitlines()[-1] == "x -> dense 6 relu as a -> dense 2 as b"


def test_the_proof_uses_each_combination_of_sizes_once(folder: Path) -> None:
    """Several of the module's conditions are broken by `H=3, W=3`."""
    said = run("import", "model.py:Joining", "--input", "1xHxW", "-o", "net.net").stderr
    sizes = next(line for line in said.splitlines() if line.startswith("proved for ")).removeprefix("proved for ").partition(":")[0]
    assert "N=2, H=3, W=3" in sizes
    assert len(set(sizes.split("; "))) == len(sizes.split("; "))


def test_named_inputs_and_other_arguments(folder: Path) -> None:
    run("import", "model.py:Net", "--input", "x=[T, 8]", "--call", "scale=2.0", "-o", "net.net")
    assert netc.compile_file("net.net").inputs["x"].rank == 3


def test_without_proof_the_text_says_so(folder: Path) -> None:
    said = run("import", "model.py:Net", "--input", "8", "-o", "net.net", "--no-verify").stderr
    assert "not compared with the original" in said
    assert "not compared" in (folder / "net.net").read_text().splitlines()[0]


def test_a_file_is_not_overwritten(folder: Path) -> None:
    (folder / "net.net").write_text("input 3")
    assert "--force" in run("import", "model.py:Net", "--input", "8", "-o", "net.net", code=2).stderr
    assert (folder / "net.net").read_text() == "input 3"
    run("import", "model.py:Net", "--input", "8", "-o", "net.net", "--force")


WRONG = {
    "no such name": (("model.py:Nte", "--input", "8"), "did you mean `Net`?"),
    "no such file": (("other.py:Net", "--input", "8"), "cannot be imported"),
    "no such package": (("nowhere.at_all:Net", "--input", "8"), "there is no Python module `nowhere`"),
    "raises": (("model.py:broken", "--input", "8"), "RuntimeError: no such thing"),
    "no module": (("model.py:number", "--input", "8"), "is no class or function"),
    "wrong argument": (("model.py:Net", "--input", "8", "--args", "height=3"), "cannot be called: TypeError"),
    "wrong size": (("model.py:Net", "--input", "7"), "cannot import `model.py:Net`"),
    "no counterpart": (("model.py:Counting", "--input", "8"), "cannot import `model.py:Counting`"),
    "missing onnx": (("nothing.onnx",), "there is no file `nothing.onnx`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_imported(case: str, folder: Path) -> None:
    words, said = WRONG[case]
    result = run("import", *words, "-o", "net.net", code=1)
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "net.net").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-o", "none/a.net"), "cannot write `none/a.net`: there is no folder `none`"),
        (("-o", "a.net", "--weights", "none/a.safetensors"), "cannot write `none/a.safetensors`: there is no folder `none`"),
        (("-o", "model.py/a.net"), "cannot write `model.py/a.net`: "),
        (("-o", "a.net", "--weights", "."), "cannot write `.`: it is a directory"),
    ],
)
def test_the_place_is_checked_first(folder: Path, words: tuple[str, ...], said: str) -> None:
    """Before the module is made, which fails here."""
    stderr = run("import", "model.py:broken", "--input", "8", *words, code=1).stderr
    assert said in stderr
    assert "no such thing" not in stderr
    assert not (folder / "a.net").exists()


@pytest.mark.parametrize("name", ["d.onnx", "d.pt2"])
def test_a_directory_is_no_file(folder: Path, name: str) -> None:
    assert f"there is no file `{name}`" in run("import", name, "-o", "a.net", code=1).stderr
    (folder / name).mkdir()
    assert f"`{name}` is a directory, not a file" in run("import", name, "-o", "a.net", code=1).stderr


def test_a_missing_package_is_named(folder: Path) -> None:
    (folder / "needs.py").write_text("import absent_inside")
    stderr = run("import", "absent_package.models:net", "--input", "8", "-o", "a.net", code=1).stderr
    assert "there is no Python module `absent_package`: install its package, or run netc in the folder that contains it" in stderr
    assert "No module named 'absent_inside'" in run("import", "needs:net", "--input", "8", "-o", "a.net", code=1).stderr


USAGE = {
    "no inputs": (("model.py:Net",), "declare the inputs of the module"),
    "no shape": (("model.py:Net", "--input", "8x"), "declares no inputs"),
    "code for a shape": (("model.py:Net", "--input", "8; x = input 3"), "is no shape"),
    "more code": (("model.py:Net", "--input", "8 batch=false; x = input 3"), "is no shape"),
    "no name": (("model", "--input", "8"), "neither"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage(case: str, folder: Path) -> None:
    words, said = USAGE[case]
    assert said in run("import", *words, "-o", "net.net", code=2).stderr


def test_weights_are_not_overwritten(folder: Path) -> None:
    netc.compile("input 3 -> dense 4").save("a.onnx", seed=1)
    (folder / "b.safetensors").write_text("trained for a week")
    assert "`b.safetensors` exists; say --force" in run("import", "a.onnx", "-o", "b.net", code=2).stderr
    assert (folder / "b.safetensors").read_text() == "trained for a week"
    assert not (folder / "b.net").exists()
    run("import", "a.onnx", "-o", "b.net", "--force")
    assert (folder / "b.safetensors").read_bytes() != b"trained for a week"


def test_onnx_keeps_its_weights(folder: Path) -> None:
    netc.compile("input 3 -> dense 4 relu as first -> dense 2 as last").save("a.onnx", seed=1)
    run("import", "a.onnx", "-o", "b.net")
    run("compile", "b.net", "--weights", "b.safetensors", "-o", "c.onnx")
    x = torch.randn(2, 3).numpy()
    before, after = (netc.from_onnx(path).session()(x) for path in ("a.onnx", "c.onnx"))
    torch.testing.assert_close(torch.from_numpy(before), torch.from_numpy(after))


def test_other_commands_take_models(folder: Path) -> None:
    model = netc.compile("input 3 -> dense 4 relu as first -> dense 2 as last")
    model.save("a.onnx", seed=1)
    module = model.module(seed=1).eval()
    exported = torch.export.export(module, (torch.randn(2, 3),), dynamic_shapes=({0: torch.export.Dim("N")},))
    torch.export.save(exported, "a.pt2")
    assert "dense 4 relu as first" in run("import", "a.pt2", "-o", "-").stdout
    run("summary", "a.pt2", code=1)  # PyTorch would unpickle it
    for file in ("a.onnx",):
        assert "first" in run("summary", file).stdout
        run("check", file)
        assert "nn.Linear(3, 4)" in run("compile", file, "--target", "torch").stdout
        run("compile", file, "-o", f"{file}.again.onnx")
        x = torch.randn(2, 3)
        torch.testing.assert_close(torch.from_numpy(netc.from_onnx(f"{file}.again.onnx").session()(x.numpy())), module(x).detach())


def test_damaged_files(folder: Path) -> None:
    for name in ("a.onnx", "a.pt2"):
        (folder / name).write_bytes(b"\x08\x09nothing")
        said = run("import", name, "-o", "a.net", code=1).stderr
        assert f"cannot import `{name}`" in said
        assert "Traceback" not in said
    assert "error[cannot-import]" in run("summary", "a.onnx", code=1).stderr


@pytest.mark.parametrize(
    ("source", "option", "kind"),
    [
        *(("model.py:Net", option, "a PyTorch module") for option in ("--set x=3", "--output-name y", "--dequantize")),
        *(("net.onnx", option, "an ONNX file") for option in ("--input 8", "--example T=3", "--args width=6", "--call scale=2.0")),
        *(("net.pt2", option, "an exported program") for option in ("--input 8", "--set x=3", "--output-name y", "--dequantize")),
        *((".", option, "the folder of a model") for option in ("--args width=6", "--set x=3", "--train", "--dequantize")),
    ],
)
def test_an_option_of_another_kind_of_source_is_refused(folder: Path, source: str, option: str, kind: str) -> None:
    netc.compile("input 8 -> dense 4").save("net.onnx")
    (folder / "net.pt2").write_bytes(b"")
    module = ("--input", "8") if source == "model.py:Net" else ()
    said = run("import", source, *module, *option.split(" "), "-o", "net.net", code=2).stderr
    assert f"{option.split()[0]} is not for {kind}" in said
    assert not (folder / "net.net").exists()


def test_an_input_that_is_declared_twice(folder: Path) -> None:
    assert "`x` is declared twice" in run("import", "model.py:Net", "--input", "x=8", "--input", "x=9", "-o", "net.net", code=2).stderr
    said = run("import", "model.py:Net", "--input", "x=8", "--call", "x=9", "-o", "net.net", code=2).stderr
    assert "`x` is an argument of `--call` too" in said


@pytest.mark.parametrize("weights", ["net.net", "./net.net"])
def test_spec_and_weights_in_one_file(folder: Path, weights: str) -> None:
    """The spec, which is written last, would replace the weights."""
    netc.compile("input 8 -> dense 4").save("net.onnx")
    said = run("import", "net.onnx", "-o", "net.net", "--weights", weights, code=2).stderr
    assert f"-o and --weights name the same file, `{weights}`" in said
    assert not (folder / "net.net").exists()


@pytest.mark.long
def test_a_file_of_constants_is_not_overwritten(folder: Path) -> None:
    lines = ["", "class Table(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    lines += ["        torch.manual_seed(0)", "        self.register_buffer('t', torch.randn(400), persistent=False)"]
    lines += ["        self.a = nn.Linear(8, 400)", "    def forward(self, x):", "        return self.a(x) * self.t"]
    (folder / "model.py").write_text(MODULE + "\n".join(lines))
    kept = folder / "net.net.safetensors"
    kept.write_bytes(b"precious")
    command = ("import", "model.py:Table", "--input", "8", "-o", "net.net")
    assert "`net.net.safetensors` exists" in run(*command, code=1).stderr
    assert kept.read_bytes() == b"precious"
    said = run(*command, "--weights", "net.net.safetensors", "--force", code=1).stderr
    assert "`net.net.safetensors` gets the constants of the spec" in said
    assert kept.read_bytes() == b"precious"
    run(*command, "--force")
    x = torch.randn(3, 8)
    assert netc.compile_file("net.net").module()(x).shape == (3, 400)


@pytest.mark.long
def test_a_write_to_complex_numbers_that_is_refused_shows_no_traceback(folder: Path) -> None:
    """In a process of its own: PyTorch's loggers write past the runner."""
    lines = ["import torch", "from torch import nn", "class Spectral(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    lines += ["        self.w = nn.Parameter(torch.randn(3, 3, 4, dtype=torch.cfloat))", "    def forward(self, x):"]
    lines += ["        f = torch.fft.rfft(x)", "        o = torch.zeros_like(f)"]
    lines += ["        o[..., :4] = torch.einsum('bik,iok,iok->bok', f[..., :4], self.w, self.w)"]
    (folder / "spectral.py").write_text("\n".join([*lines, "        return torch.fft.irfft(o, n=x.shape[-1])"]))
    words = ("import", "spectral.py:Spectral", "--input", "3x16", "-o", "net.net")
    done = subprocess.run([sys.executable, "-m", "netc", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: cannot import")
