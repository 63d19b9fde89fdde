"""What a source says although PyTorch assumes it by itself: arguments that are the defaults of what is called."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cache
from typing import Any

import torch

SPACE: dict[str, Any] = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional}


@cache
def assumed(path: str) -> dict[str, object]:
    """The defaults of what is called, such as `nn.Linear`, where PyTorch shows them."""
    if not re.fullmatch(r"(torch|nn|F)(\.\w+)+", path):
        return {}
    try:
        return {n: p.default for n, p in inspect.signature(eval(path, SPACE)).parameters.items()}
    except (ValueError, TypeError):
        return {}


def defaults_said(source: str) -> list[str]:
    """The arguments in a source that say what PyTorch assumes without them."""
    said = []
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            defaults = assumed(ast.unparse(call.func))
            for keyword in call.keywords:
                if keyword.arg in defaults and isinstance(keyword.value, ast.Constant):
                    value, default = keyword.value.value, defaults[keyword.arg]
                    if type(value) is type(default) and value == default:
                        said.append(f"{ast.unparse(call.func)}({keyword.arg}={value})")
    return said
