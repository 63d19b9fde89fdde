"""What needs no converter: refusals before one is called, and how a folder is written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import netc as api
from netc.compiler.backends.exported import exported_backend
from netc.compiler.backends.exported.export_module import ExportedModule, choose_argument_names
from netc.compiler.backends.exported.export_sizes import choose_example_sizes
from netc.errors import CompileError
from netc.files.atomic_writing import check_writable, write_folder

Netc = Callable[..., Any]
FIXED = ("--dim", "N=1")
SUFFIXES = {"executorch": ".pte", "litert": ".tflite", "coreml": ".mlpackage"}


@pytest.mark.parametrize("target", SUFFIXES)
def test_a_missing_package_is_named_before_weights_are_read(netc: Netc, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setattr(exported_backend, "find_spec", lambda name: None)
    Path("w.safetensors").write_bytes(b"no weights")
    done = netc("compile", "-e", "input 3 -> dense 2", *FIXED, "-o", f"m{SUFFIXES[target]}", "--weights", "w.safetensors")
    assert done.exit_code == 1
    assert "error[converter-not-installed]" in done.stderr
    assert "= help: run `pip install " in done.stderr
    assert os.listdir() == ["w.safetensors"]


@pytest.mark.parametrize(
    ("target", "text", "says"),
    [
        ("executorch", "x = input [T, 3]; x -> relu", "an upper bound for each symbolic size, and `N` and `T` have none"),
        ("executorch", "x = input [T, 3] where T <= 9; x -> relu", "and `N` has none"),
        ("coreml", "x = input [H*W, 3] where N <= 9; x -> relu", "and `H` and `W` have none"),
        ("litert", "x = input [T, 3] where N <= 2 and T <= 9; x -> relu", "sizes that are integers, and `N` and `T` are symbolic"),
    ],
)
def test_symbolic_sizes_are_named_with_the_option_that_fixes_them(target: str, text: str, says: str) -> None:
    with pytest.raises(CompileError) as caught:
        api.compile(text).source(target)
    (problem,) = caught.value.diagnostics
    assert (problem.code, says in problem.message) == ("size-not-fixed", True), problem.message
    assert "`--dim " in str(caught.value)


@pytest.mark.parametrize(
    ("target", "text", "says", "help"),
    [
        ("coreml", "x = input 3 int64; x -> relu", "the input `x`", "declare or cast it as `int32`"),
        ("coreml", "x = input 3; y = x -> argmax; out y", "the output `y`", "declare or cast it as `int32`"),
        ("coreml", "x = input 3; x -> cast float64 -> exp -> cast float32", "the result of this stage", "`float32`"),
        ("coreml", "x = input 3 bool; x -> cast float32", "the input `x`", "cast it to another element type"),
        ("litert", "x = input 3 bfloat16; x -> relu", "the input `x`", "`float32`"),
    ],
)
def test_element_types_that_a_format_lacks_are_errors_at_the_stage(target: str, text: str, says: str, help: str) -> None:
    with pytest.raises(CompileError) as caught:
        api.compile(text, dims={"N": 1}).source(target)
    (problem,) = caught.value.diagnostics
    assert (problem.code, says in problem.message, help in str(caught.value)) == ("format-unsupported", True, True), str(caught.value)


@pytest.mark.parametrize(
    "options", [("--opset", 18), ("--quantize", "int8"), ("--functions",), ("--scan-layers",), ("--example", "python")]
)
def test_options_of_other_targets_are_usage_errors(netc: Netc, options: tuple[object, ...]) -> None:
    for suffix in SUFFIXES.values():
        done = netc("compile", "-e", "input 3 -> dense 2", *FIXED, "-o", f"m{suffix}", *options)
        assert done.exit_code == 2, done.output
    assert os.listdir() == []


def test_the_sizes_of_examples_fit_the_spec_and_differ() -> None:
    sizes = choose_example_sizes(api.compile("x = input [S, T] where S <= 30 and T <= 30 and N <= 9 and S % 4 == 0; x -> relu").program)
    assert (min(sizes.values()) >= 2, len({*sizes.values()}), sizes["S"] % 4) == (True, 3, 0)
    assert choose_example_sizes(api.compile("x = input [T, 2] where T in [1, 7] and N <= 1; x -> relu").program) == {"T": 7}
    assert choose_example_sizes(api.compile("a = input S; b = input T where S == 2 * T and T <= 4; out a, b", dims={"N": 1}).program) == {
        "T": 2
    }


def test_modules_are_exported_with_the_names_and_the_bounds_of_the_spec() -> None:
    model = api.compile("lambda = input [2*T + 1, 3] where N <= 4 and T <= 5; y = lambda -> dense 2; out y")
    exported = ExportedModule.make(model.backend_input(seed=1), "ExecuTorch")
    program = exported.run_export()
    assert program.graph_signature.user_inputs == ("lambda_",)
    assert {(int(r.lower), int(r.upper)) for r in program.range_constraints.values()} >= {(1, 4), (3, 11)}
    assert choose_argument_names(["self", "x"]) == ("self_", "x")


def make_package(content: str) -> Callable[[str], None]:
    def write(path: str) -> None:
        os.makedirs(os.path.join(path, "Data"))
        Path(path, "Data", "a").write_text(content)
        Path(path, "Manifest.json").write_text("{}")

    return write


def test_a_folder_is_replaced_as_a_whole_and_only_if_it_is_a_package(tmp_path: Path) -> None:
    path = tmp_path / "m.mlpackage"
    write_folder(str(path), make_package("first"), "Manifest.json")
    (path / "Data" / "old").write_text("")
    check_writable(str(path), "Manifest.json")
    write_folder(str(path), make_package("second"), "Manifest.json")
    assert [(path / "Data" / "a").read_text(), os.listdir(path / "Data"), os.listdir(tmp_path)] == ["second", ["a"], ["m.mlpackage"]]
    assert path.stat().st_mode & 0o700 == 0o700
    (tmp_path / "other.mlpackage").mkdir()
    (tmp_path / "file.mlpackage").write_text("")
    for name in ("other.mlpackage", "file.mlpackage"):
        with pytest.raises(OSError, match=r"it exists already, and contains no Manifest\.json"):
            write_folder(str(tmp_path / name), make_package("third"), "Manifest.json")


def test_a_folder_stays_as_it_is_if_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "m.mlpackage"
    write_folder(str(path), make_package("first"), "Manifest.json")

    def fail(temporary: str) -> None:
        make_package("second")(temporary)
        raise OSError(28, "No space left on device", temporary)

    with pytest.raises(OSError, match="No space left") as caught:
        write_folder(str(path), fail, "Manifest.json")
    assert caught.value.filename == str(path)
    assert [(path / "Data" / "a").read_text(), os.listdir(tmp_path)] == ["first", ["m.mlpackage"]]
