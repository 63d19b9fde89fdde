"""Every operator's examples in another type: the PyTorch module gives the types that were computed, and ONNX the numbers of PyTorch."""

from __future__ import annotations

import re

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import netc
from netc.compiler.ops.operator import Operator
from netc.compiler.types.numpy_types import to_array
from tests.parity import inputs_for, sizes_of, tensor
from tests.widened import widened

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
ROUNDINGS = 8
REFUSED = {"rfft", "irfft", "fft", "ifft", "stft", "istft"}
"""Those of which there are no half types."""
NO_KERNEL = {"cdist", "local_response_norm"}
"""Those without a kernel of PyTorch on the CPU."""
NOT_IN_ONNX = {"ctc_loss", "match"}
JUMPS = {"fmod", "fractional_max_pool", "floor_div", "remainder"}
"""Where a rounding may lead to another place or multiple."""
EXAMPLES = [(operator.name, text) for operator in Operator.registry.values() for text in operator.examples]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(("name", "text"), EXAMPLES, ids=[text for _, text in EXAMPLES])
def test_examples(name: str, text: str, dtype: str) -> None:
    plain = netc.compile(text)
    if name in REFUSED:
        with pytest.raises(netc.CompileError, match=f"needs float32 or float64, found {dtype}"):
            netc.compile(text, dtype=dtype)
        return
    model = netc.compile(text, dtype=dtype)
    arrays = inputs_for(plain, sizes_of(plain)[1])
    fed = [tensor(arrays[key], plain.inputs[key]).to(getattr(torch, t.dtype.name)) for key, t in model.inputs.items()]
    weights = plain.module(seed=0).state_dict()
    found: list[torch.Tensor] = []
    if not NO_KERNEL & set(re.findall(r"\w+", text)):
        with torch.no_grad():
            made = model.module(weights=weights).eval()(*fed)
        found = list(made) if isinstance(made, tuple) else [made]
        assert [str(y.dtype) for y in found] == [f"torch.{t.dtype}" for t in model.outputs.values()]
    if name in NOT_IN_ONNX:
        return
    proto = model.onnx(weights=weights)
    onnx.checker.check_model(proto, full_check=True)
    if dtype == "bfloat16":
        proto, fed = widened(proto), [x.float() if x.dtype == torch.bfloat16 else x for x in fed]
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    results = session.run(None, {port.name: to_array(x) for port, x in zip(session.get_inputs(), fed, strict=True)})
    if name in JUMPS:
        return
    for left, right in zip(results, found, strict=bool(found)):
        wanted = right.detach().double().numpy()
        finite = np.isfinite(wanted)
        largest = np.abs(wanted[finite]).max(initial=0.0) or 1.0
        distance = np.abs(np.asarray(left).astype(np.float64)[finite] - wanted[finite]).max(initial=0.0)
        assert distance <= ROUNDINGS * torch.finfo(getattr(torch, dtype)).eps * largest
