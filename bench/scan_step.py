"""A process that measures itself: `python scan_step.py LENGTH STEPS SPECS` makes forward steps of a Mamba of 4 layers, 256 wide.

In: the number of tokens, the number of steps, and the folder of the specs. Out: a line of JSON, for each step the seconds of netc's module,
of ONNX Runtime, and of transformers without kernels of its own. Always: all three have the same weights and tokens, in one process on one
thread each, and take turns.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable

import onnxruntime
import torch
import transformers
from onnx import TensorProto, numpy_helper

import netc

WIDTH, DEPTH, VOCABULARY = 256, 4, 1000


def main(length: int, steps: int, specs: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = {"vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": DEPTH}
    reference = transformers.MambaForCausalLM(transformers.MambaConfig(**sizes, use_cache=False)).eval()
    params = {"width": WIDTH, "depth": DEPTH, "vocabulary": VOCABULARY}
    model = netc.compile_file(f"{specs}/text/mamba.net", model="network", params=params)
    module = model.module().eval()
    module.load_state_dict(reference.state_dict())
    session = _session(model, reference)
    tokens = torch.randint(VOCABULARY, (1, length))
    array = tokens.numpy()
    runs: list[Callable[[], object]] = [
        lambda: module(tokens),
        lambda: session.run(None, {"tokens": array}),
        lambda: reference(tokens).logits,
    ]
    found = []
    with torch.no_grad():
        for turn in range(-2, steps):
            times = [0.0] * len(runs)
            for index in range(len(runs)):
                at = (index + turn) % len(runs)
                before = time.perf_counter()
                runs[at]()
                times[at] = time.perf_counter() - before
            if turn >= 0:
                found.append(times)
    print(json.dumps(found))


def _session(model: netc.Model, reference: torch.nn.Module) -> onnxruntime.InferenceSession:
    proto = model.onnx(seed=0)
    weights = reference.state_dict()
    for tensor in proto.graph.initializer:
        if tensor.name in weights:
            made: TensorProto = numpy_helper.from_array(weights[tensor.name].numpy(), tensor.name)
            tensor.CopyFrom(made)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(proto.SerializeToString(), options)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
