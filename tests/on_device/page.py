"""docs/cuda.md: the last figures, between two comments.

In: results. Out: the text of the page with them in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from on_device.compared import Compared
from on_device.speeds import AGAINST, Speed

PAGE = Path(__file__).parents[2] / "docs" / "cuda.md"
SECTION = "figures"


def figures(device: str, found: dict[str, list[Compared]], speeds: Sequence[Speed]) -> str:
    """What was found on a device, as Markdown."""
    lines = [f"On {device}:", ""]
    for part, all_ in found.items():
        right = [one for one in all_ if not one.wrong and not one.missing]
        lines.append(f"- {part}: {len(right)} of {len(all_)} compute in both targets what the CPU computes; {_without(all_)}")
        lines += [f"    - `{one.name}`: {'; '.join((*one.wrong, *one.missing))}" for one in all_ if one.wrong or one.missing]
    if speeds:
        lines += ["", f"| network | type | netc in ONNX Runtime | {' | '.join(AGAINST)} |", "|---|---|--:|" + "--:|" * len(AGAINST)]
        lines += [_row(one) for one in speeds]
    return "\n".join(lines) + "\n"


def _without(all_: Sequence[Compared]) -> str:
    fallen = sorted({one.split()[0] for case in all_ for one in case.fallen})
    return "no node fell back to the CPU" if not fallen else f"nodes without a kernel on the device: {', '.join(fallen)}"


def _row(one: Speed) -> str:
    own = "" if one.latency is None else f"{one.latency * 1000:.3g} ms"
    ratios = [f"{one.ratios[name]:.2f}" if name in one.ratios else "" for name in AGAINST]
    return f"| {one.network} | {one.dtype} | {own} | {' | '.join(ratios)} |" + (f" {one.missing}" if one.missing else "")
