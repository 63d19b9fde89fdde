"""Writes the tables from pages that you have downloaded: see the package."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import netc.compiler.backends.onnx.kernels

from .onnxruntime_page import read_kernels
from .tensorrt_page import read_operators
from .web_page import expand_sources
from .web_page import read_kernels as read_web_kernels

_FOLDER = Path(netc.compiler.backends.onnx.kernels.__file__).parent
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m kernel_pages")
    parser.add_argument("--onnxruntime", metavar="OperatorKernels.md", type=Path)
    parser.add_argument("--version", help="the release of ONNX Runtime that the page is of")
    parser.add_argument("--tensorrt", metavar="operators.md", type=Path)
    parser.add_argument("--web", metavar="node_modules/onnxruntime-web", type=Path)
    parser.add_argument("--sources", metavar="onnxruntime", type=Path, help="with --web: a checkout of ONNX Runtime")
    options = parser.parse_args()
    if options.onnxruntime is not None:
        if options.version is None:
            parser.error("the page of ONNX Runtime does not name its version: give --version")
        page = options.onnxruntime.read_text(encoding="utf-8")
        for name, provider in _PROVIDERS.items():
            source = "docs/OperatorKernels.md of microsoft/onnxruntime, written by its script gen_opkernel_doc"
            _write_table(f"{name}_kernels.json", {"version": options.version, "source": source, "kernels": read_kernels(page, provider)})
    if options.web is not None:
        if options.sources is None:
            parser.error("the page of ONNX Runtime Web has no element types: give --sources")
        version = json.loads((options.web / "package.json").read_text(encoding="utf-8"))["version"]
        page = (options.web / "docs" / "webgpu-operators.md").read_text(encoding="utf-8")
        sources = expand_sources(options.sources / "onnxruntime" / "core" / "providers" / "js")
        source = "docs/webgpu-operators.md of the npm package onnxruntime-web, and onnxruntime/core/providers/js of microsoft/onnxruntime"
        _write_table("web_kernels.json", {"version": version, "source": source, "kernels": read_web_kernels(page, sources)})
    if options.tensorrt is not None:
        page = options.tensorrt.read_text(encoding="utf-8")
        _write_table("tensorrt_operators.json", {"source": "docs/operators.md of onnx/onnx-tensorrt", **read_operators(page)})


def _write_table(name: str, table: dict[str, Any]) -> None:
    (_FOLDER / name).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


main()
