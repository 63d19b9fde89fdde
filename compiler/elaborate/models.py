"""The model of a file: which one it is, its parameters, its walk, and what it expects of itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.source import SourceFile, Span

from ..errors.structure import AmbiguousModel, ExpectMisplaced, NoInput, NoResult, Recursion, StrayStatement, UnknownModel, UnknownParameter
from ..graph import Graph, Program
from .arguments import bind_parameters
from .bodies import finish
from .evaluate import evaluate
from .expectations import EXPECTS, check_expectations
from .inputs import declare_dimensions
from .naming import Namer
from .scope import Frame, Scope
from .session import Session
from .statements import Results, run_statements
from .values import UNKNOWN, BlockDef, Failure, LazyLet


class Chosen:
    """The model to be elaborated: its name, body and parameters (None: the file's own statements)."""

    def __init__(self, name: str, body: ast.Body, node: ast.Model | None) -> None:
        self.name = name
        self.body = body
        self.node = node
        self.span = node.name.span if node is not None else Span(body.span.file, 0, 0)


def standing(file: ast.File) -> list[str]:
    """The models of a file that stand on their own. One with a parameter that must be given is there for others to be made of."""
    models = [item for item in file.items if isinstance(item, ast.Model)]
    whole = [m for m in models if all(p.default is not None for p in m.parameters if isinstance(p, ast.Parameter))]
    return [m.name.name for m in whole or models]


def choose(file: ast.File, source: SourceFile, wanted: str | None, session: Session) -> Chosen | None:
    """The model that is meant; None if there is none, or if it cannot be told which (then that is reported)."""
    models = {m.name.name: m for m in file.items if isinstance(m, ast.Model)}
    loose = tuple(i for i in file.items if isinstance(i, ast.Statement))
    stem = PurePath(source.name).stem
    start = Span(source, 0, 0)
    if models:
        for statement in loose:
            if not isinstance(statement, (ast.Let, ast.Broken)):
                session.report(StrayStatement(), statement.span)
        whole = standing(file)
        name = wanted or (stem if stem in whole else whole[0])
        if wanted is None and len(whole) > 1 and stem not in whole:
            first, *others = (models[n].name.span for n in whole)
            session.report(AmbiguousModel(tuple(whole)), first, tuple((o, "another one") for o in others))
            return None
        if name in models:
            return Chosen(name, models[name].body, models[name])
        session.report(UnknownModel(name, tuple(near(name, list(models))), tuple(models)), start)
        return None
    if wanted is not None and wanted != stem:
        session.report(UnknownModel(wanted, (), ()), start)
        return None
    if all(isinstance(i, (ast.Let, ast.Broken, *EXPECTS)) for i in loose):
        for statement in loose:
            if isinstance(statement, EXPECTS):
                session.report(ExpectMisplaced(lone=True), statement.span)
        return None
    span = loose[0].span.to(loose[-1].span)
    return Chosen(_identifier(stem), ast.Body(span, loose), None)


def _identifier(stem: str) -> str:
    if stem.startswith("<"):  # `<text>`, `<stdin>`: no file
        return "net"
    name = "".join(c if c.isalnum() and c.isascii() else "_" for c in stem).strip("_")
    return name if name and not name[0].isdigit() else f"net_{name}" if name else "net"


def build(chosen: Chosen, files: Scope, params: Mapping[str, Any], dims: Mapping[str, int], session: Session) -> Program | None:
    """Walks the model's body. None if anything failed."""
    own = outside = Scope(files, None)
    scope = Scope(outside, None)
    _set_parameters(chosen, params, outside, files, scope, session)
    body = chosen.body
    if chosen.node is not None and chosen.node.base is not None:
        with session.catching(()):
            body, outside = derive(chosen.node, outside, files, session)
        if body is chosen.body:
            return None
    scope.parent = outside
    graph = Graph(chosen.name, "model", body.span)
    frame = Frame(graph, None, Namer(numbered=False), ())
    scope.frame = frame
    scope.beside = files if chosen.node is None else outside
    graph.arguments = {k: b.value for k, b in outside.names.items()} if chosen.node else {}
    declare_dimensions(body, scope, session, dims, chosen.span)
    results = run_statements(body, scope, session, "the model")
    finish(frame, results.flow, session)
    if results.flow is UNKNOWN:
        return None
    if not graph.inputs:
        session.report(NoInput(), chosen.span)
    if not graph.outputs:
        session.report(NoResult("the model"), _result_span(body))
    graph.output_names = list(output_names(results, len(graph.outputs), {v.name for v in graph.inputs}))
    free = tuple(n for n, d in session.dims.items() if not isinstance(d, int))
    program = Program(graph, session.facts, free, tuple(session.conditions), session.dims)
    if not any(d.severity == "error" for d in session.diagnostics):
        check_expectations(chosen, program, params, scope if outside is own else Scope(own, frame), session)
    return program


def _result_span(body: ast.Body) -> Span:
    """The statement that says what comes out, for a body whose result is empty."""
    outs = [s for s in body.statements if isinstance(s, ast.Out)]
    return (outs or body.statements)[-1].span


def derive(model: ast.Model, outside: Scope, files: Scope, session: Session) -> tuple[ast.Body, Scope]:
    """The body of the model that this one is made of, in the end, and the scope of that one's parameters."""
    seen = [model]
    while model.base is not None:
        name = model.base.name
        found = files.find(name)
        target = found[0].value.node if found is not None and isinstance(found[0].value, BlockDef) else None
        if not isinstance(target, ast.Model):
            models = [n for n, b in files.names.items() if isinstance(b.value, BlockDef) and isinstance(b.value.node, ast.Model)]
            raise Failure(UnknownModel(name, tuple(near(name, models)), tuple(models)), model.base.name_span)
        for statement in model.body.statements:
            if not isinstance(statement, (ast.Broken, *EXPECTS)):
                session.report(StrayStatement(name), statement.span)
        if any(target is m for m in seen):
            raise Failure(Recursion(name, "model"), model.base.name_span)
        inner = Scope(files, None)
        constants = tuple(p for p in target.parameters if isinstance(p, ast.Parameter))
        bind_parameters(name, constants, model.base, inner, outside, session)
        seen.append(target)
        model, outside = target, inner
    return model.body, outside


def output_names(results: Results, count: int, taken: set[str]) -> Iterable[str]:
    """The names of the outputs: as bound, else `output`, or `output1` and so on when there are several. In an ONNX graph they must differ
    from those of the inputs, `taken`: an input that is given back gets a `_` behind its name."""
    taken = set(taken)
    names = results.names if len(results.names) == count else ("",) * count
    for index, name in enumerate(names):
        candidate = name or ("output" if count == 1 else f"output{index + 1}")
        while candidate in taken:
            candidate += "_"
        taken.add(candidate)
        yield candidate


def _set_parameters(chosen: Chosen, params: Mapping[str, Any], outside: Scope, files: Scope, scope: Scope, session: Session) -> None:
    """Binds the model's parameters: as set from outside, or their defaults."""
    if chosen.node is None:
        lets = {s.name.name: s for s in chosen.body.statements if isinstance(s, ast.Let)}
        _refuse_unknown(params, list(lets), chosen.span, session)
        for name, let in lets.items():
            if name not in files.names or not isinstance(files.names[name].value, LazyLet):
                continue
            files.names[name].value = params[name] if name in params else LazyLet(let, scope)
        return
    constants = [p for p in chosen.node.parameters if isinstance(p, ast.Parameter)]
    _refuse_unknown(params, [p.name.name for p in constants], chosen.span, session)
    for parameter in chosen.node.parameters:
        value: Any = UNKNOWN
        with session.catching(()):
            value = _value_of(chosen.name, parameter, params, outside, session)
        outside.bind(parameter.name.name, value, parameter.span)


def _value_of(
    owner: str, parameter: ast.Parameter | ast.TensorParameter, params: Mapping[str, Any], outside: Scope, session: Session
) -> Any:
    from ..errors.names import MissingArgument
    from ..errors.structure import InputMisplaced

    if isinstance(parameter, ast.TensorParameter):
        raise Failure(InputMisplaced(parameter.name.name), parameter.span)
    name = parameter.name.name
    if name in params:
        return params[name]
    if parameter.default is None:
        hint = f"give it a default, `{name}=...`, or a value by `--set {name}=...`"
        raise Failure(MissingArgument(owner, name, "which has no default", hint=hint), parameter.span)
    return evaluate(parameter.default, outside, session)


def _refuse_unknown(params: Mapping[str, Any], known: list[str], span: Span, session: Session) -> None:
    for name in params:
        if name not in known:
            session.report(UnknownParameter(name, tuple(near(name, known)), tuple(known)), span)
