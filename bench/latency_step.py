"""A process that measures itself: `python latency_step.py NETWORK THREADS ROUNDS SPECS` runs a network as ONNX, netc's and PyTorch's.

Out: a line of JSON: pairs of seconds a run, pairs of seconds to load, and the two sizes in bytes. Both have the same weights, a batch
that is symbolic, and the same answers. With one thread, the time is CPU time, which other programs on the machine disturb least; with
several, a single pair has the sums of the nodes' least times.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnxruntime
import torch

import netc

IMAGE = (1, 3, 224, 224)
TEXT = {"vocabulary": 5000, "width": 768, "depth": 4, "heads": 12}
LENGTH = 128
WARM = 3
SESSIONS = 3
LOADS = 40
"""Where the memory of a session lies makes a difference of a tenth."""


class Logits(torch.nn.Module):
    """What the spec of a model of transformers computes, as tensors."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: torch.Tensor, *others: torch.Tensor) -> Any:
        names = ("input_ids", "token_type_ids", "attention_mask")
        given = dict(zip(names, (tokens, *others), strict=False))
        if others:
            return self.model(**given, return_dict=False)[:2]
        return self.model(**given, return_dict=False, use_cache=False)[0]


def of_torchvision(name: str) -> Callable[[], torch.nn.Module]:
    def make() -> torch.nn.Module:
        import torchvision

        module: torch.nn.Module = getattr(torchvision.models, name)()
        return module

    return make


def gpt2() -> torch.nn.Module:
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=5000, n_layer=4, n_positions=1024))


def bert() -> torch.nn.Module:
    from transformers import BertConfig, BertModel

    return BertModel(BertConfig(vocab_size=5000, num_hidden_layers=4))


def llama() -> torch.nn.Module:
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 768, "intermediate_size": 2048, "num_attention_heads": 12, "num_key_value_heads": 4}
    return LlamaForCausalLM(LlamaConfig(vocab_size=5000, num_hidden_layers=4, rms_norm_eps=1e-5, **sizes))


NETWORKS: dict[str, tuple[Callable[[], torch.nn.Module], str, str, dict[str, Any]]] = {
    "gpt2": (gpt2, "text/gpt2.net", "network", {**TEXT, "context": 1024, "hidden": 3072}),
    "bert": (bert, "text/bert.net", "network", {**TEXT, "context": 512, "hidden": 3072}),
    "llama": (llama, "text/llama.net", "network", {**TEXT, "shared_heads": 4, "hidden": 2048}),
    "vit_b_16": (of_torchvision("vit_b_16"), "vision/vit.net", "vit_b_16", {}),
    "swin_t": (of_torchvision("swin_t"), "vision/swin.net", "swin_t", {}),
    "convnext_tiny": (of_torchvision("convnext_tiny"), "vision/convnext.net", "convnext_tiny", {}),
    "mobilenet_v2": (of_torchvision("mobilenet_v2"), "vision/mobilenet_v2.net", "mobilenet_v2", {}),
    "efficientnet_b0": (of_torchvision("efficientnet_b0"), "vision/efficientnet.net", "efficientnet_b0", {}),
    "resnet50": (of_torchvision("resnet50"), "vision/resnet.net", "resnet50", {}),
}
"""The reference, and the spec with its model and parameters."""


def write(network: str, specs: str, folder: str) -> tuple[str, str, list[np.ndarray[Any, Any]]]:
    """netc's file and PyTorch's, and inputs for both."""
    make, spec, name, params = NETWORKS[network]
    torch.manual_seed(0)
    reference = _as_if_trained(make()).eval()
    path = os.path.join(specs, spec)
    symbols = netc.compile_file(path, model=name, params=params).inputs
    image = next(iter(symbols.values())).dtype.is_float
    sides = {str(side) for type_ in symbols.values() for side in type_.shape if not isinstance(side, int)} & {"H", "W"}
    model = netc.compile_file(path, model=name, params=params, dims=dict.fromkeys(sides, 224))
    ours, theirs = os.path.join(folder, "netc.onnx"), os.path.join(folder, "torch.onnx")
    model.save(ours, weights=dict(reference.state_dict()))
    inputs = [_input(name, image) for name in model.inputs]
    module = reference if image else Logits(reference).eval()
    batch = torch.export.Dim("batch", min=1, max=64)
    length = torch.export.Dim("length", min=2, max=512)
    axes = tuple({0: batch} if image else {0: batch, 1: length} for _ in inputs)
    shapes = axes if image or len(inputs) == 1 else (axes[0], axes[1:])
    given = tuple(torch.from_numpy(np.repeat(array, 2, 0)) for array in inputs)
    torch.onnx.export(module, given, theirs, dynamo=True, optimize=True, dynamic_shapes=shapes, external_data=False, verbose=False)
    return ours, theirs, inputs


def _as_if_trained(module: torch.nn.Module) -> torch.nn.Module:
    """Without the zeros and ones of the first values: the exporter stores equal parameters once, of which there are none after training."""
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point():
                tensor += 0.01 * torch.rand_like(tensor)
    return module


def _input(name: str, image: bool) -> np.ndarray[Any, Any]:
    generator = np.random.default_rng(0)
    if image:
        return generator.standard_normal(IMAGE).astype(np.float32)
    if name == "mask":
        return np.ones((1, LENGTH), dtype=np.int64)
    return generator.integers(0, 2 if name == "segments" else TEXT["vocabulary"], (1, LENGTH))


def session(path: str, threads: int, profile: str = "") -> tuple[onnxruntime.InferenceSession, float]:
    """The session, and the seconds of the processor that loading took. `profile`: where the times of nodes are written to, if they are."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.enable_profiling, options.profile_file_prefix = bool(profile), profile or path
    before = time.process_time()
    made = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return made, time.process_time() - before


def loading(paths: list[str], threads: int, number: int) -> list[float]:
    """The seconds of each file, by turns which comes first."""
    pair = [0.0, 0.0]
    for which in (0, 1) if number % 2 else (1, 0):
        pair[which] = session(paths[which], threads)[1]
    return pair


def fed(run: onnxruntime.InferenceSession, arrays: list[np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    wanted = run.get_inputs()
    return {one.name: array.astype(bool) if "bool" in one.type else array for one, array in zip(wanted, arrays, strict=True)}


def timed(run: onnxruntime.InferenceSession, arrays: list[np.ndarray[Any, Any]]) -> float:
    feed = fed(run, arrays)
    before = time.thread_time()
    run.run(None, feed)
    return time.thread_time() - before


def by_turns(paths: list[str], arrays: list[np.ndarray[Any, Any]], rounds: int) -> list[list[float]]:
    """Pairs of seconds of the processor, on one thread. Where a session has its weights in memory makes a difference of two percent: each
    file has several."""
    runs = [[session(path, 1)[0] for path in paths] for _ in range(SESSIONS)]
    pairs: list[list[float]] = []
    for number in range(WARM * SESSIONS + rounds):
        both, pair = runs[number % SESSIONS], [0.0, 0.0]
        for which in (0, 1) if number % 2 else (1, 0):
            pair[which] = timed(both[which], arrays)
        pairs.append(pair)
    return pairs[WARM * SESSIONS :]


def by_nodes(paths: list[str], arrays: list[np.ndarray[Any, Any]], threads: int, rounds: int) -> list[float]:
    """The seconds of all nodes, each the least of its runs: whole runs on several threads wait for neighbors."""
    runs = [session(path, threads, path)[0] for path in paths]
    for number in range(WARM + 4 * rounds):  # enough that each node was once alone
        for which in (0, 1) if number % 2 else (1, 0):
            runs[which].run(None, fed(runs[which], arrays))
    return [_least(run.end_profiling()) for run in runs]


def _least(profile: str) -> float:
    """Of a file of ONNX Runtime's profiler, in seconds."""
    with open(profile, encoding="utf-8") as file:
        events = json.load(file)
    least: dict[str, float] = {}
    for event in events:
        if event["name"].endswith("_kernel_time"):
            least[event["name"]] = min(event["dur"], least.get(event["name"], event["dur"]))
    return sum(least.values()) / 1e6


def measure(network: str, threads: int, rounds: int, specs: str) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        *paths, arrays = write(network, specs, folder)
        sizes = [os.path.getsize(path) for path in paths]
        loads = [loading(paths, threads, number) for number in range(LOADS)]
        runs = [session(path, threads)[0] for path in paths]
        answers = [run.run(None, fed(run, arrays))[0] for run in runs]
        np.testing.assert_allclose(answers[0], answers[1], rtol=1e-2, atol=1e-3)
        found = by_turns(paths, arrays, rounds) if threads == 1 else [by_nodes(paths, arrays, threads, rounds)]
    return {"runs": found, "loads": loads, "sizes": sizes}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    asked, count, turns, home = sys.argv[1:]
    said = sys.stdout
    sys.stdout = sys.stderr  # the exporter prints
    print(json.dumps(measure(asked, int(count), int(turns), home)), file=said)
