"""Arguments, results and errors of `netc.compile` and `netc.compile_file`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import netc

TINY = "input 3 -> dense 2 sigmoid -> dense 1 sigmoid"


def test_types() -> None:
    model = netc.compile("x = input [T, 4]\ny = x -> dense 2\nout y, x")
    assert {name: str(type) for name, type in model.inputs.items()} == {"x": "[N, T, 4]"}
    assert {name: str(type) for name, type in model.outputs.items()} == {"y": "[N, T, 2]", "x_": "[N, T, 4]"}
    assert [(p.name, p.shape, p.trainable) for p in model.parameters.values()] == [
        ("dense1.weight", (2, 4), True),
        ("dense1.bias", (2,), True),
    ]


def test_params_and_dims_and_model() -> None:
    text = "model a(w=2) { input [T, 3] -> dense w }\nmodel b { input 3 -> dense 1 }"
    chosen = netc.compile(text, model="a", params={"w": 7}, dims={"T": 5})
    assert str(chosen.outputs["output"]) == "[N, 5, 7]"
    assert chosen.name == "a"


def test_params_may_be_lists_and_numpy_scalars() -> None:
    text = "model m(widths=[1], p=0.5) { input 3 -> repeat w in widths { dense w } -> dropout p }"
    model = netc.compile(text, params={"widths": [4, np.int64(5)], "p": np.float32(0.25)})
    assert str(model.outputs["output"]) == "[N, 5]"


def test_compile_error_has_everything() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile("input 3 -> dens 2\ninput 3 -> dense 0")
    assert isinstance(caught.value, ValueError)
    assert [d.code for d in caught.value.diagnostics if d.severity == "error"] == ["unknown-operator", "wrong-argument"]
    assert "error[unknown-operator]: " in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_warnings_do_not_stand_in_the_way() -> None:
    model = netc.compile("y = input 3\nx = input 3\nx -> dense 2")
    assert {d.severity for d in model.diagnostics} == {"warning"}


@pytest.mark.parametrize("text", ["", "# nothing\n", "let a = 1", "block b { dense 1 }"])
def test_no_model(text: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    assert [d.severity for d in caught.value.diagnostics][-1] == "error"


def test_a_batch_of_the_size_of_another_axis_is_not_written_twice() -> None:
    assert not netc.compile("input 3x8x8 -> conv 8 3x3", dims={"N": 3}).diagnostics
    assert [d.code for d in netc.compile("input [N, 3] -> relu").diagnostics] == ["batch-axis-written"]


def test_compile_file(tmp_path: Path) -> None:
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "a.net").write_text('use "b.net"\nblock twice(w) { dense w -> once w }')
    (tmp_path / "blocks" / "b.net").write_text("block once(w) { dense w }")
    (tmp_path / "main.net").write_text('use "blocks/a.net"\ninput 3 -> twice 4')
    model = netc.compile_file(tmp_path / "main.net")
    assert model.name == "main"
    assert next(iter(model.parameters)) == "twice1.dense1.weight"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin.net").write_bytes("input 3 # caf\xe9".encode("latin-1"))
    (tmp_path / "binary.net").write_bytes(b"\x7fELF\0\0")
    found = {}
    for name in ("latin.net", "binary.net", "latinn.net", "."):
        with pytest.raises(netc.CompileError) as caught:
            netc.compile_file(tmp_path / name)
        (diagnostic,) = caught.value.diagnostics
        found[name] = diagnostic
    assert [d.code for d in found.values()] == ["not-utf8", "binary-file", "missing-file", "not-a-file"]
    assert found["latin.net"].span.start == len("input 3 # caf")
    assert found["latinn.net"].help == (f"did you mean `{tmp_path}/latin.net`?",)


def test_a_published_network_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(netc.CompileError) as caught:
        netc.compile_file("resnet18")
    assert caught.value.diagnostics[0].help[0].endswith("; in Python, `netc.zoo('resnet18')` is the model")
    assert netc.zoo("resnet18").name == "resnet18"


def test_a_byte_order_mark_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "bom.net").write_bytes(b"\xef\xbb\xbfinput 3 -> dense 2\r\n")
    assert netc.compile_file(tmp_path / "bom.net").name == "bom"


def test_use_of_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text('use "b.net"\ninput 3 -> dense 2')
    (tmp_path / "b.net").write_bytes(b"\0")
    with pytest.raises(netc.CompileError) as caught:
        netc.compile_file(tmp_path / "a.net")
    assert [d.code for d in caught.value.diagnostics] == ["cannot-use"]


def test_use_in_a_circle_however_paths_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text('use "./x/../b.net"\ninput 3 -> dense 2')
    (tmp_path / "x").mkdir()
    (tmp_path / "b.net").write_text(f'use "{tmp_path}/a.net"')
    with pytest.raises(netc.CompileError) as caught:
        netc.compile_file(tmp_path / "a.net")
    assert [d.code for d in caught.value.diagnostics] == ["use-cycle"]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"text": 3}, TypeError, "str"),
        ({"text": Path("a.net")}, TypeError, "compile_file"),
        ({"model": 3}, TypeError, "model"),
        ({"model": "other"}, netc.CompileError, "other"),
        ({"params": [1]}, TypeError, "mapping"),
        ({"params": {1: 2}}, TypeError, "name"),
        ({"params": {"w": object()}}, TypeError, "'w'"),
        ({"params": {"w": 1}}, netc.CompileError, "`w`"),
        ({"dims": {"T": "4"}}, TypeError, "'T'"),
        ({"dims": {"T": True}}, TypeError, "'T'"),
        ({"dims": {"T": 0}}, ValueError, "at least 1"),
        ({"dims": {"T": 4}}, netc.CompileError, "`T`"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        netc.compile(**({"text": TINY} | arguments))  # type: ignore[arg-type]
    assert says in str(caught.value)


def test_equal_specs_have_equal_hashes() -> None:
    def of(text: str, **choice: dict[str, int]) -> str:
        return next(p.value for p in netc.compile(text, **choice).onnx().metadata_props if p.key == "spec_hash")  # type: ignore[arg-type]

    assert of(TINY) == of(TINY) != of(TINY + " ")
    assert of("input [T] -> relu", dims={"T": 3}) != of("input [T] -> relu", dims={"T": 4})


def test_errors_of_syntax_do_not_hide_the_others() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile("x = input 3 -> ]\ny = x -> dens 2\ny -> dense 0")
    assert [d.code for d in caught.value.diagnostics] == ["missing-bracket", "unknown-operator", "wrong-argument"]


def used(main: Path, path: str, allow_paths: Sequence[Path] = ()) -> str:
    """What is said of `use "path"` in the file; nothing if the file is read."""
    main.write_text(f'use "{path}"\ninput 3 -> dense 2')
    try:
        netc.compile_file(main, allow_paths=allow_paths)
    except netc.CompileError as error:
        return str(error)
    return ""


SECRET = "of the file of somebody else"


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """A file in a folder, next to which another folder has files."""
    for name in ("secret.net", "secret.txt", "deep/good.net"):
        path = tmp_path / "other" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"let a = 3\n{'' if 'good' in name else SECRET}")
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine" / "main.net"


ELSEWHERE = ["{0}/other/secret.net", "../other/secret.net", "../other/secret.txt", "../other/missing.net", "x/../../other/secret.net"]
LINKED = ["link.net", "linked/secret.net", "linked/missing.net"]
SYSTEM = ["std/../../../../../../../../../../{0}/other/secret.net", "/proc/self/environ", "/dev/zero", "/proc/x.net"]


@pytest.mark.parametrize("path", [*ELSEWHERE, *LINKED, *SYSTEM])
def test_use_reads_no_other_folder(main: Path, path: str) -> None:
    root = main.parents[1]
    (main.parent / "link.net").symlink_to(root / "other" / "secret.net")
    (main.parent / "linked").symlink_to(root / "other")
    said = used(main, path.format(root))
    assert SECRET not in said
    assert "error[cannot-use]" in said
    assert "no such file" not in said


def test_allowed_folders(main: Path) -> None:
    root = main.parents[1]
    assert "--allow-path" in used(main, "../other/deep/good.net")
    assert used(main, "../other/deep/good.net", [root / "other"]) == ""
    assert used(main, f"{root}/other/deep/good.net", [root / "nothing", root / "other" / "deep"]) == ""
    assert "only `.net` files" in used(main, "../other/secret.txt", [root])
    assert "kernel" in used(main, "/proc/x.net", [Path("/")])
    with pytest.raises(TypeError, match="allow_paths"):
        netc.compile("input 3", allow_paths="folder")


def test_what_is_used_stays_in_the_folder_of_the_first_file(main: Path) -> None:
    (main.parent / "sub").mkdir()
    (main.parent / "parts.net").write_text("let a = 3")
    (main.parent / "sub" / "b.net").write_text('use "../parts.net"')
    assert used(main, "sub/b.net") == ""
    (main.parent / "sub" / "b.net").write_text('use "../../other/deep/good.net"')
    assert "outside" in used(main, "sub/b.net")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are none")
def test_use_does_not_wait_for_a_fifo(main: Path) -> None:
    os.mkfifo(main.parent / "fifo.net")
    assert "regular file" in used(main, "fifo.net")


@pytest.mark.parametrize("path", ["a\0b.net", "\ud800.net", "std/\0.net", "package:netc/\0.net", "a" * 5000 + ".net"])
def test_paths_that_no_file_has(path: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(f'use "{path}"\ninput 3 -> dense 2')
    assert [d.code for d in caught.value.diagnostics] == ["cannot-use"]
