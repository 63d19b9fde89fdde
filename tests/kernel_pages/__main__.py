"""Writes the tables from pages that you have downloaded: see the package."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import netc.compiler.backends.onnx.kernels
from netc.compiler.backends.backend_names import OPSETS

from .builders_page import find_programs, read_coreml_operators
from .onnxruntime_page import read_kernels
from .tensorrt_page import read_operators
from .web_page import expand_sources
from .web_page import read_kernels as read_web_kernels

_FOLDER = Path(netc.compiler.backends.onnx.kernels.__file__).parent
COREML_LOWEST, COREML_HIGHEST = 13, 25
"""Split needs 13, and `GetMaxSupportedOpSet` is 25."""
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kernel_pages")
    parser.add_argument("--onnxruntime", metavar="OperatorKernels.md", type=Path)
    parser.add_argument("--version", help="the release of ONNX Runtime that the page is of")
    parser.add_argument("--tensorrt", metavar="operators.md", type=Path)
    parser.add_argument("--web", metavar="node_modules/onnxruntime-web", type=Path)
    parser.add_argument("--sources", metavar="onnxruntime", type=Path, help="with --web: a checkout of ONNX Runtime")
    parser.add_argument("--coreml", metavar="onnxruntime", type=Path, help="a checkout of ONNX Runtime")
    parser.add_argument("--qnn", action="store_true", help="ask the installed package onnxruntime-qnn")
    options = parser.parse_args()
    if options.onnxruntime is not None:
        if options.version is None:
            parser.error("the page of ONNX Runtime does not name its version: give --version")
        _write_onnxruntime_tables(options.onnxruntime, options.version)
    if options.web is not None:
        if options.sources is None:
            parser.error("the page of ONNX Runtime Web has no element types: give --sources")
        _write_web_table(options.web, options.sources)
    if options.coreml is not None:
        _write_coreml_table(options.coreml)
    if options.qnn:
        _write_qnn_table()
    if options.tensorrt is not None:
        _write_tensorrt_table(options.tensorrt)


def _write_onnxruntime_tables(path: Path, version: str) -> None:
    page = path.read_text(encoding="utf-8")
    source = "docs/OperatorKernels.md of microsoft/onnxruntime, written by its script gen_opkernel_doc"
    for name, provider in _PROVIDERS.items():
        _write_table(f"{name}_kernels.json", {"version": version, "source": source, "kernels": read_kernels(page, provider)})


def _write_web_table(package: Path, checkout: Path) -> None:
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    page = (package / "docs" / "webgpu-operators.md").read_text(encoding="utf-8")
    sources = expand_sources(checkout / "onnxruntime" / "core" / "providers" / "js")
    source = "docs/webgpu-operators.md of the npm package onnxruntime-web, and onnxruntime/core/providers/js of microsoft/onnxruntime"
    _write_table("web_kernels.json", {"version": version, "source": source, "kernels": read_web_kernels(page, sources)})


def _write_coreml_table(checkout: Path) -> None:
    folder = checkout / "onnxruntime" / "core" / "providers" / "coreml" / "builders"
    factory = (folder / "op_builder_factory.cc").read_text(encoding="utf-8")
    operators = read_coreml_operators(factory, find_programs(folder / "impl"))
    version = (checkout / "VERSION_NUMBER").read_text(encoding="utf-8").strip()
    source = "onnxruntime/core/providers/coreml/builders of microsoft/onnxruntime"
    table = {"source": source, "version": version, "opsets": [COREML_LOWEST, COREML_HIGHEST], "operators": operators}
    _write_table("coreml_operators.json", table)


def _write_qnn_table() -> None:
    from .qnn_probe import read_operators as probe_operators  # needs the package onnxruntime-qnn

    source = "the verdicts of the package onnxruntime-qnn, with its HTP backend, about the nodes of the examples of netc's operators"
    _write_table("qnn_operators.json", {"source": source, "opsets": [OPSETS[0], OPSETS[-1]], **probe_operators()})


def _write_tensorrt_table(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    _write_table("tensorrt_operators.json", {"source": "docs/operators.md of onnx/onnx-tensorrt", **read_operators(page)})


def _write_table(name: str, table: dict[str, Any]) -> None:
    (_FOLDER / name).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


main()
