"""`python bench/token_loop.py WIDTH DEPTH TOKENS ROUNDS`: a Llama that writes tokens, in several runtimes by turns, each on one thread.

Prints JSON: by runtime, the milliseconds of the processor for each token, of all rounds. netc's step runs in the loop of the page
docs/streams.md, whose states are never copied, in netc's own loops, and in onnxruntime-genai; its peers are transformers with a
cache, and the model of onnxruntime-genai's own builder. What is not installed is left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.capi._pybind_state import OrtDevice, OrtValue, OrtValueVector
from transformers import LlamaConfig, LlamaForCausalLM

import netc
from netc.prediction.load_generator import make_generator
from netc.prediction.text_generator import TextGenerator
from netc.streaming.stream_runner import StreamRunner

ROOT = Path(__file__).resolve().parents[1]
VOCABULARY, HEAD, PROMPT, TURN = 32_000, 64, 16, 8
Writer = Callable[[list[int]], Iterator[int]]
"""Of a prompt, the tokens that follow, greedily, without end."""


def main() -> None:
    width, depth, count, rounds = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with TemporaryDirectory() as folder, torch.no_grad():
        writers = dict(_writers(width, depth, Path(folder)))
        prompt = torch.randint(1, VOCABULARY, (PROMPT,)).tolist()
        texts = {name: list(islice(writer(prompt), count)) for name, writer in writers.items()}
        times: dict[str, list[float]] = {name: [] for name in writers}
        for _ in range(rounds):
            _by_turns({name: writer(prompt) for name, writer in writers.items()}, count, times)
    first = texts["transformers"]
    same = {name: sum(a == b for a, b in zip(text, first, strict=True)) for name, text in texts.items()}
    print(json.dumps({"milliseconds": times, "same": same, "count": count}))


def _by_turns(texts: dict[str, Iterator[int]], count: int, times: dict[str, list[float]]) -> None:
    """Adds the milliseconds of each token but the first, which reads the prompt. Every few tokens it is another one's turn: what else the
    machine does is the same for all, and caches are as they are where one writes alone."""
    for text in texts.values():
        next(text)
    names = list(texts)
    for done in range(0, count - 1, TURN):
        names = [*names[1:], names[0]]
        for name in names:
            for _ in range(min(TURN, count - 1 - done)):
                begin = process_time()
                next(texts[name])
                times[name].append(1000 * (process_time() - begin))


def _writers(width: int, depth: int, folder: Path) -> Iterator[tuple[str, Writer]]:
    heads = width // HEAD
    hidden = 4 * width
    sizes = {"hidden_size": width, "num_hidden_layers": depth, "num_attention_heads": heads, "num_key_value_heads": heads}
    config = LlamaConfig(vocab_size=VOCABULARY, intermediate_size=hidden, rms_norm_eps=1e-5, initializer_range=0.1, **sizes)
    theirs = LlamaForCausalLM(config).eval()
    params = {"width": width, "depth": depth, "heads": heads, "shared_heads": heads, "hidden": hidden, "vocabulary": VOCABULARY}
    model = netc.compile_file(ROOT / "specs" / "text" / "llama.net", model="network", params=params)
    weights = {name: value for name, value in theirs.state_dict().items() if name in model.parameters}
    stream = model.stream("T")
    stream.save(folder / "step.onnx", weights=weights)
    yield "netc", _by_hand(folder / "step.onnx")
    onnxruntime.InferenceSession = _OneThread  # type: ignore[misc]
    yield "stream.session", _in_steps(stream.session(weights))
    yield "generate", _in_generator(make_generator(model, weights, None, "bytes"))
    yield "transformers", _in_transformers(theirs)
    if find_spec("onnxruntime_genai") is None:
        return
    stream.save_for("onnxruntime-genai", folder / "netc", weights)
    yield "netc in genai", _in_genai(folder / "netc")
    if _built(theirs, folder):
        yield "genai", _in_genai(folder / "genai")


def _by_hand(path: Path) -> Writer:
    """ONNX Runtime alone: the states of a step are those that the one before has made."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options)
    cpu = OrtDevice(OrtDevice.cpu(), OrtDevice.default_memory(), 0)
    states = [i for i in session.get_inputs() if i.name.startswith("past_")]
    inputs = ["tokens", *(s.name for s in states)]
    outputs = ["logits", *(s.name.replace("past_", "next_", 1) for s in states)]
    devices, run = [cpu] * len(outputs), onnxruntime.RunOptions()

    def value(array: NDArray[Any]) -> OrtValue:
        return OrtValue.ortvalue_from_numpy(array, cpu)

    def write(prompt: list[int]) -> Iterator[int]:
        shapes = [[d if isinstance(d, int) else 0 if d == "P" else 1 for d in s.shape] for s in states]
        kept = [value(np.zeros(shape, np.float32)) for shape in shapes]
        tokens = np.array([prompt], np.int64)
        while True:
            given, made = OrtValueVector(), OrtValueVector()
            for each in (value(tokens), *kept):
                given.push_back(each)
            session.run_with_ortvaluevector(run, inputs, given, outputs, made, devices)
            kept = [made[i] for i in range(1, len(outputs))]
            tokens = made[0].numpy()[:, -1:].argmax(-1)
            yield int(tokens[0, 0])

    return write


class _OneThread(onnxruntime.InferenceSession):  # type: ignore[misc]
    """A session of netc with one thread, as all others here: netc leaves the number to ONNX Runtime."""

    def __init__(self, model: Any, options: onnxruntime.SessionOptions, **others: Any) -> None:
        options.intra_op_num_threads = 1
        super().__init__(model, options, **others)


def _in_steps(run: StreamRunner) -> Writer:
    def write(prompt: list[int]) -> Iterator[int]:
        state, tokens = run.begin(), np.array([prompt], np.int64)
        while True:
            results, state = run(state, tokens=tokens)
            tokens = results["logits"][:, -1:].argmax(-1)
            yield int(tokens[0, 0])

    return write


def _in_generator(generator: TextGenerator) -> Writer:
    def write(prompt: list[int]) -> Iterator[int]:
        return (token.number for token in generator.generate(prompt, tokens=10**6, temperature=0))

    return write


def _in_transformers(model: Any) -> Writer:
    def write(prompt: list[int]) -> Iterator[int]:
        tokens, cache = torch.tensor([prompt]), None
        while True:
            made = model(tokens, past_key_values=cache, use_cache=True)
            tokens, cache = made.logits[:, -1:].argmax(-1), made.past_key_values
            yield int(tokens)

    return write


def _in_genai(folder: Path) -> Writer:
    import onnxruntime_genai as og

    path = folder / "genai_config.json"
    config = json.loads(path.read_text())
    config["model"]["decoder"].setdefault("session_options", {})["intra_op_num_threads"] = 1
    path.write_text(json.dumps(config))
    model = og.Model(str(folder))

    def write(prompt: list[int]) -> Iterator[int]:
        params = og.GeneratorParams(model)
        params.set_search_options(max_length=2048, do_sample=False)
        generator = og.Generator(model, params)
        generator.append_tokens(np.array([prompt], np.int32))
        while True:
            generator.generate_next_token()
            yield int(generator.get_next_tokens()[0])

    return write


def _built(model: Any, folder: Path) -> bool:
    """Whether the builder of onnxruntime-genai has made its own model of it."""
    import subprocess

    (folder / "checkpoint").mkdir()
    model.save_pretrained(folder / "checkpoint")
    _tokenizer().save_pretrained(folder / "checkpoint")
    where = ["-i", str(folder / "checkpoint"), "-o", str(folder / "genai"), "-c", str(folder / "cache")]
    words = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-m", "llama", "-p", "fp32", "-e", "cpu", *where]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
    return done.returncode == 0


def _tokenizer() -> Any:
    """One that the builder copies, and nothing uses."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE(vocab={"a": 0}, merges=[])))


if __name__ == "__main__":
    main()
