"""The parameters of a model: values from the caller (`--set width=64`) or defaults; and the model that another one is derived from.

>>> import netc
>>> netc.compile("model base(width, depth=1) { input 3 -> dense width }; model wide = base width=64", model="wide").outputs
{'output': TensorType([N, 64])}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.parser import parse_value
from netc.dsl.source import SourceFile

from ...errors.argument_errors import MissingArgument
from ...errors.limit_errors import Recursion, TooMuchNesting
from ...errors.structure_errors import InputMisplaced, StrayStatement, UnknownModel, UnknownParameter
from ...errors.value_errors import NotANumber
from ...types.tensor_types import DType
from ...types.traced_ints import Origin
from ..elaboration_session import ElaborationSession
from ..interpreter.block_arguments import BoundParameters, ModelParameters, literal_value
from ..interpreter.elaborator import Elaborator
from ..resource_limits import MAX_DEPTH
from ..scopes.compile_time_values import UNKNOWN, OperatorRef
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import UNNEEDED, BlockDef, LazyLet, Scope, StageClosure
from ..scopes.value_text import format_value
from .file_scopes import find_unnamed_model
from .model_selection import SelectedModel
from .option_origin import option_span

_STAGES = (OperatorRef, BlockDef, StageClosure)


def bind_set_lets(
    selected: SelectedModel, params: Mapping[str, Any], files: Scope, scope: Scope, elaborator: Elaborator
) -> ModelParameters:
    """Bind the `let`s of a file, the parameters of its own statements: to the value from `--set`, or to the expression in `scope`. Returns
    the values that are set or literals, and the symbols of the integers among them."""
    session = elaborator.session
    bound = ModelParameters.make_empty(selected.name)
    lets = {s.name.name: s for s in selected.body.statements if isinstance(s, ast.Let) and s.name.name != UNNEEDED}
    reject_unknown(params, list(lets), session)
    for name, let in lets.items():
        # A `let` that is defined twice has been reported, and is bound to `UNKNOWN`.
        if name in files.names and isinstance(files.names[name].value, LazyLet):
            value = literal_value(let.value)
            if name in params:
                value = UNKNOWN
                with session.catch_failures(()):
                    value = _convert_like_default(params[name], name, let.value, files, scope, elaborator)
            if value is None:
                session.bind_lazily(files.names[name], LazyLet(let, scope))
            else:
                bound.values[name] = bound.name_value(name, value)
                session.bind_lazily(files.names[name], bound.values[name])
    return bound


def bind_parameters(
    model: ast.ModelDecl, params: Mapping[str, Any], scope: Scope, elaborator: Elaborator, bound: BoundParameters | None = None
) -> dict[str, Origin]:
    """Binds a model's parameters in `scope`, and returns the symbols of the integers among them. `bound` names the symbols; by default, the
    model does."""
    session = elaborator.session
    bound = bound or ModelParameters.make_empty(model.name.name)
    constants = [p.name.name for p in model.parameters if isinstance(p, ast.ParameterDecl)]
    reject_unknown(params, constants, session)
    for parameter in model.parameters:
        value: Any = UNKNOWN
        with session.catch_failures(()):
            value = _parameter_value(model.name.name, parameter, params, scope, elaborator)
        name = parameter.name.name
        session.index.record_binding(parameter.name, scope.bind_name(name, bound.name_value(name, value), parameter.span))
    return bound.origins


def _parameter_value(
    owner: str, parameter: ast.ParameterDecl | ast.TensorParameter, params: Mapping[str, Any], scope: Scope, elaborator: Elaborator
) -> Any:
    if isinstance(parameter, ast.TensorParameter):
        raise Failure(InputMisplaced(parameter.name.name), parameter.span)
    name = parameter.name.name
    if name in params:
        return _convert_like_default(params[name], name, parameter.default, scope, scope, elaborator)
    if parameter.default is None:
        hint = f"give it a default, `{name}=...`, or a value by `--set {name}=...`"
        raise Failure(MissingArgument(owner, name, "which has no default", hint=hint), parameter.span)
    return elaborator.evaluate(parameter.default, scope)


def _convert_like_default(value: Any, name: str, default: ast.Expr | None, files: Scope, scope: Scope, elaborator: Elaborator) -> Any:
    """Convert a value from `--set`. If the default is a stage or an element type, a string is the text of one in the scope `files`."""
    # Only a default that is a name or a stage can mean an element type or a stage.
    if not isinstance(default, (ast.Name, ast.StageExpr)):
        return value
    default_value = elaborator.evaluate(default, scope)
    # The command line cannot tell a name from a string, so the default decides which one it is.
    kinds, what = (DType, "an element type") if isinstance(default_value, DType) else (_STAGES, "a stage")
    if not isinstance(default_value, kinds):
        return value
    result, span = value, option_span("--set", name, value if isinstance(value, str) else format_value(value))
    if isinstance(value, str):
        text, problems = parse_value(SourceFile(f"<{name}>", value))
        if text is None:
            elaborator.session.diagnostics += problems
            return UNKNOWN
        result, span = elaborator.evaluate(text, files), text.span
    if isinstance(result, kinds):
        return result
    raise Failure(NotANumber(f"the parameter `{name}`", f"{what}, as its default is", format_value(result)), span)


def reject_unknown(params: Mapping[str, Any], known: list[str], session: ElaborationSession) -> None:
    """Report values for names that are no parameters."""
    for name, value in params.items():
        if name not in known:
            place = option_span("--set", name, value if isinstance(value, str) else format_value(value))
            session.report_problem(UnknownParameter(name, tuple(find_similar_names(name, known)), tuple(known)), place)


def resolve_base(
    model: ast.ModelDecl, scope: Scope, files: Scope, elaborator: Elaborator, origins: dict[str, Origin]
) -> tuple[ast.Body, Scope]:
    """Return the body of the last base of a model, and the scope of the parameters there. Adds their symbols to `origins`.

    `files` is the scope of the model's file. A base from another file sees the names of its own file, whatever this one imports.
    """
    seen = [model]
    session = elaborator.session
    while model.base is not None:
        name = model.base.name
        definition = _base_of(model.base, files, session)
        target = definition.node
        assert isinstance(target, ast.ModelDecl)
        for statement in model.body.statements:
            if not isinstance(statement, (ast.Broken, ast.Expect)):
                session.report_problem(StrayStatement(name), statement.span)
        if any(target is m for m in seen):
            raise Failure(Recursion(name, "model"), model.base.name_span)
        if len(seen) >= MAX_DEPTH:
            raise Failure(TooMuchNesting(MAX_DEPTH, "models that are derived from others"), model.base.name_span)
        session.index.record_name(model.base.name_span, name, files.names.get(name))
        files = definition.scope
        inner = Scope(files, None)
        constants = tuple(p for p in target.parameters if isinstance(p, ast.ParameterDecl))
        bound = ModelParameters.make_empty(name)
        elaborator.parameters.bind_parameters(name, constants, model.base, inner, scope, bound)
        origins.update(bound.origins)
        seen.append(target)
        model, scope = target, inner
    return model.body, scope


def _base_of(base: ast.Apply, files: Scope, session: ElaborationSession) -> BlockDef:
    definition = files.find_model(base.name)
    if definition is not None:
        return definition
    if files.may_lack(base.name):
        raise AlreadyReported
    models = list(files.model_names())
    path = find_unnamed_model(base.name, base.span.file, session)
    raise Failure(UnknownModel(base.name, tuple(find_similar_names(base.name, models)), tuple(models), path), base.name_span)
