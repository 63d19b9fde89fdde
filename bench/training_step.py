"""A process that measures itself: `python training_step.py NETWORK ROUNDS SPECS` makes training steps of netc's module, of its reference,
and of another copy of the reference.

In: a key of NETWORKS, the number of rounds, and the folder of the specs. Out: a line of JSON, for each turn the seconds of CPU time of a
step of netc's module, of the reference and of the copy. Always: they have the same weights, the same batch and an optimizer of their own,
in one process on one thread. Each round has new copies of all three, since where weights are in memory makes a difference of some percent;
who is copied first, and who makes the first step of a turn, goes around.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

import netc

LAYERS, WIDTH, VOCABULARY = 100, 64, 1000
TURNS = 6
"""The measured steps of a round, after one that is not."""


class Network(NamedTuple):
    """A spec (a file of specs/, or its text), the model in it and its parameters; its reference; a batch; and the logits in what the
    reference returns."""

    spec: str
    model: str | None
    params: dict[str, int]
    reference: Callable[[], nn.Module]
    batch: Callable[[], Tensor]
    logits: Callable[[object], Tensor] = lambda result: result  # type: ignore[assignment,return-value]


def _torchvision(name: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        import torchvision

        model: nn.Module = getattr(torchvision.models, name)()
        return model

    return build


def _llama() -> nn.Module:
    import transformers

    sizes = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 344}
    model: nn.Module = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=VOCABULARY, rms_norm_eps=1e-5, **sizes))
    return model


def _mlp() -> nn.Module:
    return nn.Sequential(*(stage for _ in range(LAYERS) for stage in (nn.Linear(WIDTH, WIDTH), nn.ReLU())))


MLP = f"input {WIDTH} -> (repeat {LAYERS} as _ {{ dense {WIDTH} relu }}) as layers"
"""One sequence of layers and activations, as the reference is: a sequence for each layer would cost a call more."""
LLAMA = {"width": 128, "depth": 4, "heads": 4, "shared_heads": 2, "hidden": 344, "vocabulary": VOCABULARY}
NETWORKS = {
    "resnet18": Network("vision/resnet.net", "resnet18", {}, _torchvision("resnet18"), lambda: torch.randn(4, 3, 128, 128)),
    "swin_t": Network("vision/swin.net", "swin_t", {}, _torchvision("swin_t"), lambda: torch.randn(1, 3, 224, 224)),
    "llama": Network(
        "text/llama.net",
        "network",
        LLAMA,
        _llama,
        lambda: torch.randint(0, VOCABULARY, (2, 128)),
        lambda result: result.logits,  # type: ignore[attr-defined]
    ),
    "mlp": Network(MLP, None, {}, _mlp, lambda: torch.randn(64, WIDTH)),
}


def main(name: str, rounds: int, specs: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = NETWORKS[name]
    reference, batch = network.reference(), network.batch()
    ours = ours_of(network, specs)
    weights = reference.state_dict()
    by_name = weights.keys() == ours.state_dict().keys()
    ours.load_state_dict(weights if by_name else dict(zip(ours.state_dict(), weights.values(), strict=True)))
    candidates = [(ours, lambda result: result), (reference, network.logits), (reference, network.logits)]
    turns: list[list[float]] = []
    for number in range(rounds):
        trainees: dict[int, Trainee] = {}
        for index in _around(number, len(candidates)):
            module, logits = candidates[index]
            trainees[index] = Trainee(copy.deepcopy(module), batch, logits)  # type: ignore[arg-type]
        for turn in range(-1, TURNS):
            seconds = {index: trainees[index].step() for index in _around(turn, len(candidates))}
            if turn >= 0:
                turns.append([seconds[index] for index in range(len(candidates))])
    print(json.dumps(turns))


def _around(first: int, count: int) -> list[int]:
    return [(first + index) % count for index in range(count)]


def ours_of(network: Network, specs: str) -> nn.Module:
    if network.spec.endswith(".net"):
        compiled = netc.compile_file(f"{specs}/{network.spec}", model=network.model, params=network.params)
    else:
        compiled = netc.compile(network.spec)
    return compiled.module()


class Trainee:
    """A module, its batch and its optimizer."""

    def __init__(self, module: nn.Module, batch: Tensor, logits: Callable[[object], Tensor]) -> None:
        self.module, self.batch, self.logits = module.train(), batch, logits
        self.optimizer = torch.optim.SGD(module.parameters(), lr=1e-4)

    def step(self) -> float:
        """The seconds of CPU time of a training step: forward, backward and update, all in this thread."""
        before = time.thread_time()
        self.optimizer.zero_grad()
        self.logits(self.module(self.batch)).square().mean().backward()
        self.optimizer.step()
        return time.thread_time() - before


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
