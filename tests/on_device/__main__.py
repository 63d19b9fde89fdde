"""Runs netc on a GPU and compares it with the CPU: `make cuda`.

In: the name of a device, and parts. Out: a line for what is wrong, figures; with `--update`, docs/cuda.md. Always: without the device
nothing is run, and that is said.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

PARTS = ("operators", "zoo", "speeds")


def main(words: Sequence[str] | None = None) -> int:
    """The exit code: 1 if something is wrong, or if there is no such device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--first", type=int, help="the first N of each part, to try it", metavar="N")
    parser.add_argument("--update", action="store_true", help="write docs/cuda.md")
    asked = parser.parse_args(words)
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # products in float32 as on the CPU; read when CUDA starts
    name, missing = device_name(asked.device)
    if missing:
        print(f"nothing was run: {missing}", file=sys.stderr)
        return 1
    return _run(asked, name)


def device_name(device: str) -> tuple[str, str]:
    """What the device is called, or why it cannot be used."""
    import torch

    import netc
    from netc.compiler.backends.onnx.execution_providers import DeviceUnavailable

    if device == "cuda" and not torch.cuda.is_available():
        return "", f"PyTorch {torch.__version__} finds no GPU; `make cuda` needs one, and the PyTorch that is built for CUDA"
    try:
        netc.compile("input 3 -> relu").session(device=device)
    except DeviceUnavailable as error:
        return "", str(error)
    return (torch.cuda.get_device_name() if device == "cuda" else "a CPU"), ""


def _run(asked: argparse.Namespace, name: str) -> int:
    from page_sections import replace_section

    from on_device import models, page
    from on_device.compared import Compared, compared
    from on_device.speeds import NETWORKS, Speed, speeds

    warnings.simplefilter("ignore")  # of PyTorch, about single cases
    found: dict[str, list[Compared]] = {}
    measured: list[Speed] = []
    parts = asked.parts.split(",")
    for part in (part for part in parts if part in models.PARTS):
        found[part] = []
        for case in islice(models.PARTS[part](), asked.first):
            found[part].append(compared(*case, asked.device))
            for said in (*found[part][-1].wrong, *found[part][-1].missing):
                print(f"{part}: {case[0]}: {said}", flush=True)
    if "speeds" in parts:
        with tempfile.TemporaryDirectory() as folder:
            for speed in speeds(asked.device, Path(folder), NETWORKS[: asked.first]):
                measured.append(speed)
                print(speed, flush=True)
    text = page.figures(name, found, measured)
    print(text)
    if asked.update:
        page.PAGE.write_text(replace_section(page.PAGE.read_text(encoding="utf-8"), page.SECTION, text), encoding="utf-8")
    return int(any(one.wrong for part in found.values() for one in part))


if __name__ == "__main__":
    raise SystemExit(main())
