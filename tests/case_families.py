"""The modules `tests/ops/cases_FAMILY.py`, by family.

Each has `CASES` (one-line models that agree), `REFUSED` (with the code of the error), and perhaps `TORCH_ONLY` (models that ONNX Runtime
has no kernel for) and `REFERENCES`: how a PyTorch user calls an operator, as in `tests/differential/references`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

FAMILIES: dict[str, ModuleType] = {
    path.stem.removeprefix("cases_"): import_module(f"tests.ops.{path.stem}")
    for path in sorted((Path(__file__).parent / "ops").glob("cases_*.py"))
}
