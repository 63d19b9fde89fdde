"""torchvision's operators of detection, as their modules and functions: what is imported computes what torchvision computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from frontends.imported import agree, imported
from frontends.written import Of
from torch import Tensor, nn

from netc.compiler.frontends.imported_model import ImportFailed

ops = pytest.importorskip("torchvision.ops", reason="pip install torchvision")

FORMS: list[dict[str, Any]] = [
    {},
    {"bias": False, "masked": False},
    {"kernel_size": (3, 1), "padding": (1, 0), "stride": (2, 1)},
    {"groups": 2, "offsets": 2, "dilation": 2, "padding": 2, "bias": False},
    {"masked": False, "offsets": 4},
]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.sample(2)
def test_deformable_convolutions(form: dict[str, Any]) -> None:
    """Offsets of several pixels, so that taps lie outside the image too."""
    options = {"kernel_size": (3, 3), "padding": 1} | form
    groups, masked = options.pop("offsets", 1), options.pop("masked", True)
    taps = groups * options["kernel_size"][0] * options["kernel_size"][1]
    torch.manual_seed(0)
    spatial = {name: options[name] for name in ("kernel_size", "padding", "stride", "dilation") if name in options}
    offset, mask = (nn.Conv2d(4, channels, **spatial) for channels in (2 * taps, taps))

    def run(self: Any, x: Tensor) -> Any:
        return self.deformed(x, 3 * self.offset(x), self.mask(x).sigmoid() if masked else None)

    agree(
        Of(run, offset=offset, mask=mask, deformed=ops.DeformConv2d(4, 6, **options)), *[torch.randn(n, 4, 9, 8) * 2 + 1 for n in (2, 3, 1)]
    )


@pytest.mark.parametrize("options", [((4, 4),), (3, 0.5, 2, True), ((3, 5), 0.5, 0), ((2, 3), 1.0, -1, True)], ids=str)
@pytest.mark.sample(2)
def test_boxes(options: tuple[Any, ...]) -> None:
    """Boxes of some pixels, larger than the image, outside of it, and without a size; more boxes than images."""
    boxes = torch.tensor([[0, 1, 1, 6, 6], [1, 0, 0, 40, 3], [1, -5, -5, -1, 2], [0, 2.5, 3, 2.5, 3], [1, 3, 2, 5.5, 7.25]])
    module = Of(lambda m, x, at: ops.roi_align(m.conv(x), at, *options), conv=nn.Conv2d(3, 4, 3, padding=1))
    images = torch.randn(2, 3, 9, 8)
    agree(module, (images, boxes), (images * 3 + 2, boxes[[1, 0, 2, 2, 4]]), dims={0: [None], 1: [None]})


def test_a_weight_that_no_module_has() -> None:
    """`deform_conv` has parameters of its own."""
    module = Of(lambda m, x, at: ops.deform_conv2d(x, at, m.dense.weight.view(6, 4, 1, 1)), dense=nn.Linear(4, 6))
    with pytest.raises(ImportFailed, match="has a weight that is no parameter `weight` of a module"):
        imported(module, (torch.randn(2, 4, 5, 5), torch.randn(2, 2, 5, 5)))
