"""One model imported: what came of it.

In: a set and a name. Out: a `Result`. Always: nothing raises, whatever the model's own code does; what failed has a reason of one line.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter
from typing import NamedTuple

import torch
from imports.cases import origin

from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing.output_judge import NotProved
from netc.importing.run_import import import_spec


class Result(NamedTuple):
    """What came of a model. `lines` counts the lines of the text without comments and empty ones; `difference` is the largest in either
    target; `seconds` are the times of reading, of the text, and of the proof. `failure` is empty for a model that was proved."""

    of: str
    name: str
    lines: int = 0
    difference: float = 0.0
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    failure: str = ""


def measure(of: str, name: str, seed: int) -> Result:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    begun = time.monotonic()
    try:
        spec = import_spec(origin(of, name), seed=seed)
    except ImportFailed as error:
        return Result(of, name, failure="; ".join(error.format_lines())[:300], seconds=(time.monotonic() - begun, 0, 0))
    except NotProved as error:
        return Result(of, name, failure=f"not proved: {error.what}", seconds=(time.monotonic() - begun, 0, 0))
    except Exception as error:
        return Result(of, name, failure=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}")
    assert spec.proof is not None
    return Result(of, name, code_lines(spec.text), max(spec.proof.differences.values()), spec.seconds)


def code_lines(text: str) -> int:
    """Lines that are neither empty nor a comment."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines())


def reasons(results: list[Result]) -> Counter[str]:
    """The failures, those that differ in numbers and names as one."""
    return Counter(result.failure.partition(" (in ")[0] for result in results if result.failure)
