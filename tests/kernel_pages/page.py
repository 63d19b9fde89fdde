"""docs/devices.md: the tables of the stages that have no kernel, between two comments.

In: the small models of the zoo, and the examples of all operators. Out: the text of the page with the tables in it. Always: models are in
the form that `netc compile --for` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from zoo.small import SMALL

import netc
from netc.compiler.backends.onnx.kernels.missing_kernels import PROVIDERS
from netc.compiler.errors.kernel_errors import DEVICE_TITLES
from netc.compiler.ops import Operator
from netc.errors import CompileError
from netc.proving.check_kernels import KernelCheck, choose_opset

PAGE = Path(__file__).parents[2] / "docs" / "devices.md"
SECTION = "kernels"
DTYPES = {"cuda": ("float32", "float16", "bfloat16"), "tensorrt": ("float32", "float16", "bfloat16"), "web": ("float32", "float16")}
DTYPES |= {"coreml": ("float32", "float16"), "qnn": ("float32", "float16")}
"""The element types of the models by device. The last three have no bfloat16."""
FIXED = ("coreml", "qnn")
"""The devices that need numbers for sizes, for all nodes or for many."""


def write_tables() -> str:
    """Write both tables as Markdown."""
    return "\n".join([*_write_zoo_table(), "", *_write_operator_table()]) + "\n"


def _write_zoo_table() -> Iterator[str]:
    lacks = {device: {name: _list_model_lacks(name, device) for name in SMALL} for device in DEVICE_TITLES}
    for device, title in DEVICE_TITLES.items():
        count = sum(map(bool, lacks[device].values()))
        yield f"- {title}: {count} of {len(SMALL)} small models of the zoo, in {', '.join(DTYPES[device])}, have nodes without a kernel."
    yield from ("", "| model | device | nodes without a kernel |", "|---|---|---|")
    for device, title in DEVICE_TITLES.items():
        yield from (f"| {name} | {title} | {', '.join(lack)} |" for name, lack in lacks[device].items() if lack)


def _list_model_lacks(name: str, device: str) -> list[str]:
    dtypes = (None if dtype == "float32" else dtype for dtype in DTYPES[device])
    models = (SMALL[name].compile_fixed(dtype) if device in FIXED else SMALL[name].compiled(dtype) for dtype in dtypes)
    checks = (choose_opset(model.program, device) for model in models)
    problems = (problem for check in checks for problem in check.problems)
    return list(dict.fromkeys(f"`{op_type}`" for problem in problems for op_type, _ in problem.lacks))


def _write_operator_table() -> Iterator[str]:
    yield from ("| operator | device | element types | nodes without a kernel |", "|---|---|---|---|")
    for name, operator in sorted(Operator.registry.items()):
        for device in PROVIDERS:
            lacks: dict[tuple[str, str], None] = {}
            lacking = []
            for dtype in DTYPES[device]:
                checks = _check_examples(operator, device, dtype)
                problems = [problem for check in checks for problem in check.problems if problem.operator == name]
                lacks.update(dict.fromkeys(lack for problem in problems for lack in problem.lacks))
                lacking += [dtype] if problems else []
            if lacking:
                shown = (f"`{op_type}`" + (f" (only {form})" if form else "") for op_type, form in lacks)
                yield f"| `{name}` | {DEVICE_TITLES[device]} | {', '.join(lacking)} | {', '.join(shown)} |"


def _check_examples(operator: type[Operator], device: str, dtype: str) -> list[KernelCheck]:
    checks = []
    for text in operator.examples:
        try:
            checks.append(choose_opset(netc.compile(text, dtype=None if dtype == "float32" else dtype).program, device))
        except CompileError:  # the operator has no such type, or ONNX has no such operator
            continue
    return checks
