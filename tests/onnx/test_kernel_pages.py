"""The models of the zoo against the tables of kernels, and the tables of docs/devices.md."""

from __future__ import annotations

import pytest
from kernel_pages import page
from page_sections import replace_section
from zoo.small import SMALL

from netc.proving.check_kernels import choose_opset

QUICK = ("resnet", "gpt2", "clip", "luong", "pointnet")
"""Models that need another opset, other types, and other operators than the usual ones."""


@pytest.mark.parametrize("name", QUICK)
def test_models_have_all_cuda_kernels(name: str) -> None:
    assert choose_opset(SMALL[name].compiled().program, "cuda").report.missing == ()


@pytest.mark.long
@pytest.mark.parametrize("dtype", [None, "float16", "bfloat16"])
def test_the_zoo_has_all_cuda_kernels(dtype: str | None) -> None:
    for name, small in SMALL.items():
        assert choose_opset(small.compiled(dtype).program, "cuda").report.missing == (), name


@pytest.mark.long
def test_the_tables_are_fresh(update: bool) -> None:
    before = page.PAGE.read_text(encoding="utf-8")
    now = replace_section(before, page.SECTION, page.write_tables())
    if update:
        page.PAGE.write_text(now, encoding="utf-8")
    assert now == page.PAGE.read_text(encoding="utf-8")
