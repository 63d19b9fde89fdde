"""What netc writes as ONNX for every case of every operator is imported, and the import is proved."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from case_ids import case_id

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from tests.case_families import FAMILIES
from tests.differential.values import torch_alone

pytestmark = pytest.mark.long

NOT_FED = "Numpy_type 256 can't be converted"
"""The proof gives ONNX Runtime NumPy arrays, and it takes none of bfloat16."""
REFUSED = {
    r"grouped_linear": "NonZero makes a result whose size depends on data",
    r"sampling_ratio=(0|-1)\b": "Range its size depends on data",
    r"H(xW)? -> upsample scale=\S+ mode=area": "Range its size depends on data",
    r"bfloat16 -> (\w+_cell|rotary|gru|lstm|rnn)\b": NOT_FED,
}
"""What is refused for a good reason: by a pattern of the texts, the reason. Those operators are many in ONNX, some of which make as many
results as the data say. Every case with such a part is refused, and no other: so nothing joins them unnoticed."""
CASES = [(family, text) for family, module in FAMILIES.items() for text in module.CASES]


@pytest.mark.thorough(3)
@pytest.mark.parametrize("text", [pytest.param(text, id=f"{family}: {case_id(text)}") for family, text in CASES])
def test_comes_back(text: str, tmp_path: Path) -> None:
    model = netc.compile(text)
    if torch_alone(model):
        pytest.skip("ONNX has no such operator")
    model.save(tmp_path / "m.onnx", seed=1)
    reason = next((reason for part, reason in REFUSED.items() if re.search(part, text)), "")
    if not reason:
        netc.from_onnx(tmp_path / "m.onnx")
        return
    with pytest.raises(ImportFailed) as caught:
        netc.from_onnx(tmp_path / "m.onnx")
    assert any(reason in f"{obstacle.what} {obstacle.why}" for obstacle in caught.value.obstacles)
