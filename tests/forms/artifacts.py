"""What netc makes of two equal texts, compared: modules, sources, ONNX files, `.net` texts, half types, streams, training.

In: a `Pair` of models. Out: nothing, or an AssertionError that says which artifact differs. Always: both have the same weights, so numbers
are equal to the last bit where the texts promise the same file, and else as far as another order of operators may round.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

import numpy as np
import onnx
import torch
from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

import netc
from netc.analysis import Spec
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.dims import evaluate_dim, free_symbols
from netc.compiler.ir.flat_graph import FlatGraph, FlatNode
from netc.dsl.record import replace
from netc.dsl.source import SourceFile, Span
from netc.inputs.random_inputs import NoSizes
from tests.forms.pairs import Pair, compare_results, outcome, refused
from tests.forms.text import Same
from tests.net.same import has_scan, signature
from tests.parity import SEED, arguments, executed, flattened, tensor
from tests.streams.pieces import in_pieces

OPSETS = range(17, 24)
_NOWHERE = Span(SourceFile("", ""), 0, 0)
TABLE = "table"
"""The operator with a formula, which may be written with a literal or a value."""


def types(pair: Pair, random: Random) -> None:
    """Inputs, outputs, keys, shapes of parameters."""
    one, other = pair.both
    assert list(one.inputs.values()) == list(other.inputs.values()), "other types of inputs"
    assert list(one.outputs.values()) == list(other.outputs.values()), "other types of outputs"
    shapes = [[info.shape for info in model.parameters.values()] for model in pair.both]
    if pair.form.same is Same.ORDER:
        assert shapes[0] == shapes[1], f"other parameters: {list(one.parameters)} and {list(other.parameters)}"
    elif pair.form.same is Same.KEYS:
        assert set(one.parameters) == set(other.parameters), f"other keys: {list(one.parameters)} and {list(other.parameters)}"
    else:
        infos = [[replace(info, span=_NOWHERE, op=None) for info in model.parameters.values()] for model in pair.both]
        assert infos[0] == infos[1], f"other parameters: {infos[0]} and {infos[1]}"


def graph(pair: Pair, random: Random) -> None:
    """The operators, and the summary with its FLOPs."""
    one, other = pair.both
    if pair.form.same is not Same.ORDER and not any(has_scan(model) or TABLE in _operators(model) for model in pair.both):
        assert signature(one.program) == signature(other.program), "other operators"
    made = [model.summary() for model in pair.both]
    if pair.is_file:
        assert str(made[0]) == str(made[1]), "another summary"


def _operators(model: netc.Model) -> set[str]:
    return {item.node.op.name for item in FlatGraph(model.program.main) if isinstance(item, FlatNode)}


def module(pair: Pair, random: Random) -> None:
    """The modules, in evaluation, and in training with their gradients."""
    for fed in (*pair.fed, *pair.smallest):
        results = [outcome(_run, pair.one, made, fed) for made in pair.modules]
        compare_results(pair, "module", *results)
    results = [outcome(_trained, pair.one, made, pair.fed[-1]) for made in pair.modules]
    for made in pair.modules:
        made.eval()
    compare_results(pair, "module in training", *results)


def _trained(model: netc.Model, made: torch.nn.Module, fed: list[torch.Tensor]) -> list[torch.Tensor]:
    """Results in training, and the gradients of their sum; the state is kept."""
    kept = {key: value.clone() for key, value in made.state_dict().items()}
    try:
        made.train()
        torch.manual_seed(SEED)
        results = flattened(made(*arguments(model, fed)))
        differentiable = [one.double().nan_to_num().sum() for one in results if one.requires_grad]
        made.zero_grad()
        if differentiable:
            torch.stack(differentiable).sum().backward()
        gradients = [p.grad for p in made.parameters() if p.grad is not None]
        return [one.detach() for one in (*results, *sorted(gradients, key=_order))]
    finally:
        made.load_state_dict(kept)


def _order(gradient: torch.Tensor) -> Any:
    """Keys may come in another order: gradients are compared by their shape and size."""
    return tuple(gradient.shape), float(gradient.double().nan_to_num().abs().sum().float())


def source(pair: Pair, random: Random) -> None:
    """The emitted PyTorch, executed as a file: its numbers, and what it draws."""
    one, other = pair.both
    states = [pair.weights, pair.renamed(pair.weights, list(other.parameters))]
    texts = [executed(model, state) for model, state in zip(pair.both, states, strict=True)]
    for fed in pair.fed[:1]:
        results = [outcome(_run, one, made, fed) for made in texts]
        compare_results(pair, "source", *results)
    # A stage that is written in place may be numbered, and a ModuleDict is made with its members before its own parameters are drawn.
    if pair.form.drawn and not any("nn.ModuleDict" in model.source() for model in pair.both):
        drawn = [list(_drawn(model).values()) for model in pair.both]
        assert all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(*drawn, strict=True)), "the source draws other parameters"


def _drawn(model: netc.Model) -> dict[str, torch.Tensor]:
    torch.manual_seed(SEED)
    return model.module().state_dict()


def onnx_file(pair: Pair, random: Random) -> None:
    """The ONNX files, of some opset: the same bytes, or the same numbers."""
    options: Any = {"opset": random.choice(OPSETS), "optimize": random.random() < 0.7, "functions": random.random() < 0.3}
    weights = [pair.weights, pair.renamed(pair.weights, list(pair.other.parameters))]
    protos = [outcome(partial(m.onnx, w, **options)) for m, w in zip(pair.both, weights, strict=True)]
    if refused(pair, "ONNX", *protos):
        return
    if pair.is_file and not options["functions"]:
        assert _content(protos[0]) == _content(protos[1]), f"another ONNX file with {options}"
        return
    try:
        sessions = [OnnxSession(proto) for proto in protos]
    except NoKernel:
        return
    for fed in (*pair.fed, *pair.smallest):
        results = [outcome(_session_results, made, fed) for made in sessions]
        compare_results(pair, f"ONNX with {options}", *results)


def _content(proto: onnx.ModelProto) -> bytes:
    """All of a file but its name and the hash of its spec."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    del copy.metadata_props[:]
    copy.graph.name = ""
    copy.graph.doc_string = ""
    return copy.SerializeToString()


def _session_results(session: OnnxSession, fed: list[torch.Tensor]) -> list[torch.Tensor]:
    found = session(*fed)
    return [torch.from_numpy(np.asarray(a, np.float64)) for a in (found.values() if isinstance(found, dict) else [found])]


def net_text(pair: Pair, random: Random) -> None:
    """The `.net` text of the graph."""
    texts = [outcome(write_program, m.program) for m in pair.both]
    if not refused(pair, "`.net`", *texts) and pair.is_file:
        assert texts[0] == texts[1], "another `.net` text:\n" + "\n--- and ---\n".join(texts)


def other_type(pair: Pair, random: Random) -> None:
    """The modules in another element type, and their ONNX."""
    if not pair.form.typed:
        return
    dtype = random.choice(("float64", "float16", "bfloat16"))
    models = [outcome(m.in_type, dtype) for m in pair.both]
    if refused(pair, dtype, *models):
        return
    one, other = models
    half = Pair(one, other, pair.form)
    types(half, random)
    fed = [x.to(getattr(torch, t.dtype.name)) for x, t in zip(pair.fed[0], one.inputs.values(), strict=True)]
    modules = [m.module(s) for m, s in zip(models, [pair.weights, pair.renamed(pair.weights, list(other.parameters))], strict=True)]
    results = [outcome(_run, one, made.eval(), fed) for made in modules]
    compare_results(pair, dtype, *results, near={"float16": 2e-2, "bfloat16": 1e-1}.get(dtype, 1e-9))
    if pair.is_file:
        protos = [outcome(m.onnx, None, SEED) for m in models]
        if not refused(pair, f"ONNX in {dtype}", *protos):
            assert _content(protos[0]) == _content(protos[1]), f"another ONNX file in {dtype}"


def stream(pair: Pair, random: Random) -> None:
    """Streams along each dimension of an input: both are refused for one reason, or take pieces alike."""
    names = sorted({name for t in pair.one.inputs.values() for d in t.shape[1:] for name in free_symbols(d)} - {"N"})
    for name in names[:2]:
        streams = [outcome(m.stream, name) for m in pair.both]
        if refused(pair, f"stream along {name}", *streams):
            continue
        states = [[state.type for state in made.stream.states] for made in streams]
        assert states[0] == states[1], f"other states along {name}: {states[0]} and {states[1]}"
        whole = zip(pair.both, streams, _both_weights(pair), strict=True)
        results = [outcome(_in_pieces, model, made, weights, pair.fed[0], name) for model, made, weights in whole]
        compare_results(pair, f"stream along {name}", *results)


def _both_weights(pair: Pair) -> list[dict[str, torch.Tensor]]:
    return [pair.weights, pair.renamed(pair.weights, list(pair.other.parameters))]


def _in_pieces(
    model: netc.Model, made: netc.ModelStream, weights: Mapping[str, torch.Tensor], fed: list[torch.Tensor], name: str
) -> list[torch.Tensor]:
    """The outputs of a stream that takes one position after another, joined."""
    given = dict(zip(model.inputs, fed, strict=True))
    lengths = {given[one].shape[axis] for one, t in model.inputs.items() for axis, d in enumerate(t.shape) if str(d) == name}
    rate = made.stream.rate
    if len(lengths) != 1 or (total := lengths.pop()) % rate:
        return []
    return list(in_pieces(model, made.module(weights), given, [rate] * (total // rate), name).values())


def _fits(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> bool:
    """Whether the weights of the model belong to a section, which may set parameters of the model."""
    own = model.state_dict()
    return {key: value.shape for key, value in own.items()} == {key: value.shape for key, value in weights.items()}


def training(pair: Pair, random: Random) -> None:
    """Each train section: loss, metrics and gradients, and the emitted file."""
    if not pair.form.section or pair.one._spec is None:
        return
    for section in _sections(pair.one._spec):
        made = [outcome(m.training, section) for m in pair.both]
        if refused(pair, f"section {section}", *made):
            continue
        one, other = made
        weights = pair.weights if _fits(one.model, pair.weights) else one.model.state_dict()
        one.model.load_state_dict(weights)
        other.model.load_state_dict(pair.renamed(weights, list(pair.other.parameters)))
        assert list(one.inputs.values()) == list(other.inputs.values()), "other inputs of the section"
        fed = _section_inputs(one)
        results = [outcome(_objective_results, m, fed) for m in made]
        compare_results(pair, f"section {section}", *results)
        assert _settings(one) == _settings(other), f"other settings: {_settings(one)} and {_settings(other)}"
        sources = [outcome(m.source) for m in made]
        if not refused(pair, f"source of section {section}", *sources):
            for text in sources:
                compile(text, "train.py", "exec")
            losses = [outcome(_source_results, t, m, fed) for t, m in zip(sources, made, strict=True)]
            compare_results(pair, f"source of section {section}", *losses)


def _settings(objective: Any) -> str:
    """The settings of a section, wherever they are in the text."""
    return re.sub(r"(name_)?span=[^,)]*,? ?", "", str(objective.recipe))


def _sections(spec: Spec) -> list[str | None]:
    from netc.dsl import ast
    from netc.dsl.parser import parse_source

    sections = [item for item in parse_source(spec.source)[0].items if isinstance(item, ast.TrainDecl)]
    return [None if section.name is None else section.name.name for section in sections]


def _section_inputs(objective: Any) -> list[torch.Tensor]:
    generator = np.random.default_rng(SEED)
    fed = []
    for type_ in objective.inputs.values():
        shape = tuple(evaluate_dim(d, {name: {"N": 3}.get(name, 5) for name in free_symbols(d)}) for d in type_.shape)
        array = generator.standard_normal(shape) if type_.dtype.is_float else generator.integers(0, 2, shape)
        fed.append(tensor(np.asarray(array, np.float32 if type_.dtype.is_float else None), type_))
    return fed


def _objective_results(objective: Any, fed: list[torch.Tensor]) -> list[torch.Tensor]:
    inputs = dict(zip(objective.inputs, fed, strict=True))
    torch.manual_seed(SEED)
    objective.eval()
    loss, metrics = objective(inputs)
    objective.zero_grad()
    if loss.requires_grad:
        loss.backward()
    gradients = sorted((p.grad for p in objective.model.parameters() if p.grad is not None), key=_order)
    return [one.detach() for one in (loss, *metrics.values(), *gradients)]


def _source_results(text: str, objective: Any, fed: list[torch.Tensor]) -> list[torch.Tensor]:
    """Loss and metrics of the batch, by the functions that the emitted file has."""
    space: dict[str, Any] = {"__name__": "train"}
    exec(compile(text, "train.py", "exec"), space)
    classes = [
        made for made in space.values() if isinstance(made, type) and issubclass(made, torch.nn.Module) and made.__module__ == "train"
    ]
    model = classes[-1]()
    model.load_state_dict(objective.model.state_dict())
    batch = dict(zip(objective.inputs, fed, strict=True))
    with torch.no_grad():
        found = space["results"](space["totals"](model.eval(), batch), space["counts"](batch))
        wanted, metrics = objective.eval()(batch)
    for one, other in zip(found.values(), (wanted, *metrics.values()), strict=True):
        torch.testing.assert_close(torch.as_tensor(one).double(), other.double(), rtol=1e-5, atol=1e-5, equal_nan=True)
    return [torch.as_tensor(one) for one in found.values()]


ARTIFACTS: tuple[Callable[[Pair, Random], None], ...] = (types, graph, module, source, onnx_file, net_text, other_type, stream, training)


def _run(model: netc.Model, made: torch.nn.Module, fed: list[torch.Tensor]) -> list[torch.Tensor]:
    torch.manual_seed(SEED)
    with torch.no_grad():
        return flattened(made(*arguments(model, fed)))


def compare(pair: Pair, random: Random, artifacts: Sequence[Callable[[Pair, Random], None]] = ARTIFACTS) -> None:
    """Raises AssertionError for the first artifact that differs, with its name."""
    for artifact in artifacts:
        with contextlib.suppress(NoSizes):
            try:
                artifact(pair, random)
            except AssertionError as error:
                raise AssertionError(f"{artifact.__name__}: {error}") from error


def chosen(random: Random, count: int) -> Iterator[Callable[[Pair, Random], None]]:
    """The artifacts that every pair has, and some of the others."""
    yield from (types, graph, training)
    others = [artifact for artifact in ARTIFACTS if artifact not in (types, graph, training)]
    yield from random.sample(others, min(count, len(others)))
