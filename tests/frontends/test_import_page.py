"""The examples of docs/import.md: each Python block makes a `model`, and the text after it is its spec. `--update` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

import netc

PAGE = Path(__file__).parents[2] / "docs" / "import.md"
EXAMPLE = re.compile(r"```python\n(.*?)```\n\n```net\n(.*?)```", re.DOTALL)


@pytest.mark.long
def test_examples(update: bool) -> None:
    text = PAGE.read_text(encoding="utf-8")
    scope: dict[str, Any] = {}
    found: list[str] = []
    for code, _ in EXAMPLE.findall(text):
        exec(code, scope)
        lines = [line for line in scope["model"].spec().splitlines() if not line.startswith("#")]
        found.append("\n".join(lines).strip() + "\n")
    specs = iter(found)
    written = EXAMPLE.sub(lambda match: f"```python\n{match[1]}```\n\n```net\n{next(specs)}```", text)
    if update:
        PAGE.write_text(written, encoding="utf-8")
        text = written
    assert len(found) == 5
    assert text == written


@pytest.mark.long
def test_resnet50_is_what_the_page_shows() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("This is all of torchvision's ResNet-50")[2]
    shown = text.partition("```net\n")[2].partition("```")[0]
    module = torchvision.models.resnet50(weights=None)
    made = netc.from_torch(module, torch.randn(2, 3, 224, 224), verify=False)
    assert "\n".join(line for line in made.spec().splitlines() if not line.startswith("#")).strip() == shown.strip()
    assert made.parameters.keys() == module.state_dict().keys()
