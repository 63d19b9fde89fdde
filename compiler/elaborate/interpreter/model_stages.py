"""Models as stages: `image -> resnet18 classes=3`.

A model is used as a block: `view_model` returns a block with the parameters of the model, and a tensor for each of its inputs, in the order
of the text. Its dimensions are the sizes of the tensors that it gets. The shapes, types and `where`s that the inputs declare must hold for
these tensors. A model sees the names of its own file, and only its own `default`s, so that it is the same in every file.

    >>> import netc
    >>> text = "model small(width=4) { input 3 -> dense width }; model main { image = input 3; image -> small width=8 as body }"
    >>> netc.compile(text, model="main").parameters["body.dense1.weight"]
    ParameterInfo(body.dense1.weight: [8, 3])
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...binding.dimension_names import inputs_of, names_in_shape
from ...dims import format_dim, suggest_equality
from ...errors.argument_errors import WrongTensors
from ...errors.assertion_errors import PatternMismatch
from ...errors.limit_errors import Recursion
from ...errors.operator_errors import Unprovable
from ...errors.structure_errors import ModelAsStage, UnknownModel
from ...ir.graph_values import Value
from ...types.tensor_types import BATCH, UNNAMED_INPUT, TensorType
from ..scopes.compile_time_values import UNKNOWN, Flow
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import BlockDef, LazyLet, Scope
from .block_arguments import UNTRACED, BoundParameters, ParameterBinder
from .block_tensors import BlockTensors, declared_tensors
from .evaluator_protocol import EvaluatorPart, Interpreter
from .input_statements import InputDeclarations


class ModelView(Record):
    """A model as a block. `chain` has the model, and the models that it is derived from; `inputs` and `body` are the last one's."""

    block: ast.Block
    chain: tuple[BlockDef, ...]
    inputs: tuple[ast.InputDecl, ...]
    body: ast.Body


class ModelStages(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, parameters: ParameterBinder, inputs: InputDeclarations) -> None:
        super().__init__(interpreter)
        self._parameters, self._inputs = parameters, inputs

    def view_model(self, definition: BlockDef) -> ModelView:
        """Return the model as a block, one for each model: uses with the same arguments are one graph."""
        views: dict[int, ModelView] = self.session.model_views
        if id(definition.node) not in views:
            views[id(definition.node)] = _make_view(definition)
        return views[id(definition.node)]

    def bind_bases(self, view: ModelView, bound: BoundParameters, outside: Scope) -> Scope:
        """Bind the parameters of the models that it is derived from. Returns the scope of the last one's."""
        for derived, definition in zip(view.chain, view.chain[1:], strict=False):
            call = derived.node.base if isinstance(derived.node, ast.ModelDecl) else None
            assert call is not None
            inner = Scope(definition.scope, outside.frame)
            constants = tuple(p for p in definition.node.parameters if isinstance(p, ast.ParameterDecl))
            with self.session.decisions.collect_into(bound.decisions):
                self._parameters.bind_parameters(call.name, constants, call, inner, outside, BoundParameters.make_empty(UNTRACED))
            outside = inner
        return outside

    def match_inputs(self, view: ModelView, tensors: BlockTensors | None, values: list[Value], node: ast.Apply, outside: Scope) -> None:
        """Bind the dimensions of the inputs in `outside`, and check that the tensors are what the inputs declare."""
        if tensors is None:
            for name in _free_dimensions(view, outside):
                outside.bind_name(name, UNKNOWN)
            return
        scope = _open_lets(view.body, outside)
        matches = [*self._pair_inputs(view, tensors, values, node, scope)]
        for match in matches:
            self._bind_dimensions(match, outside)
        for name in _free_dimensions(view, scope):
            why, help_ = (
                f"its dimension `{name}` is not the size of an axis",
                f"give the axis a dimension of its own, as in `input [{name}]`",
            )
            raise Failure(ModelAsStage(view.block.name.name, why, help_), node.name_span, ((view.block.name.span, "declared here"),))
        for match in matches:
            self._match_input(match, matches[0].value)
        for declared in view.inputs:
            for where in declared.where:
                self._check_where(view, where, node, scope)

    def run(self, view: ModelView, flows: list[Flow | None], inner: Scope) -> Flow:
        """Run the body, whose inputs are the tensors `flows`."""
        # The body of a model has inputs, and no `in`.
        del inner.names["in"]
        given = {id(node): tensors for node, tensors in zip(view.inputs, flows, strict=True) if tensors is not None}
        with self.session.open_model(inner, given):
            return self.interpreter.run_body(view.body, inner, f"the model `{view.block.name.name}`")

    def _pair_inputs(self, view: ModelView, tensors: BlockTensors, values: list[Value], node: ast.Apply, scope: Scope) -> Iterator[_Match]:
        """Each tensor with the input that declares it, and the scope of its shape."""
        first, model = 0, view.block.name.name
        for declared, parameter, count in zip(view.inputs, declared_tensors(view.block), tensors.counts, strict=True):
            scopes = [scope] * count if declared.each is None else [*self._inputs.item_scopes(declared.each, scope)]
            if len(scopes) != count:
                wanted = f"{len(scopes)} tensors for `{parameter.name.name}`"
                raise Failure(WrongTensors(model, wanted, count), node.name_span, ((declared.span, "declared here"),))
            for value, inner in zip(values[first : first + count], scopes, strict=True):
                yield _Match(model, parameter.name.name, declared, value, node, inner)
            first += count

    def _bind_dimensions(self, match: _Match, outside: Scope) -> None:
        """Bind the dimensions that are the size of an axis alone."""
        declared, scope = match.declared, match.scope
        shape, batched = match.value.type.shape, self._inputs.is_batched(declared, scope)
        # A batch of another size, such as two images of each sample, is the model's own batch.
        if batched and shape and shape[0] != self.session.dims.get(BATCH) and BATCH not in outside.names:
            outside.bind_name(BATCH, shape[0])
        items = _items_of(declared.shape)
        if len(items) + batched != len(shape):
            # An item that is a name of the file may be a list of sizes.
            if any(isinstance(item, ast.Name) and item.name.isupper() and scope.find_binding(item.name) is None for item in items):
                written = ", ".join([*((BATCH,) if batched else ()), *(item.span.text for item in items)])
                raise match.mismatch(f"[{written}]", f"needs {len(items) + batched} axes")
            return
        for item, size in zip(items, shape[batched:], strict=True):
            if isinstance(item, ast.Name) and item.name.isupper() and scope.find_binding(item.name) is None:
                self.session.index.record_binding(item, outside.bind_name(item.name, size, item.span))

    def _match_input(self, match: _Match, first: Value) -> None:
        declared, shape = self._inputs.declare_type(match.declared, match.scope), match.value.type.shape
        if self._inputs.is_batched(match.declared, match.scope) and first.type.shape:
            declared = TensorType(declared.dtype, (first.type.shape[0], *declared.shape[1:]))
        if len(shape) != len(declared.shape):
            raise match.mismatch(str(declared), f"needs {len(declared.shape)} axes")
        for stated, size in zip(declared.shape, shape, strict=True):
            equal = self.session.deciding.are_equal(stated, size)
            if equal is None:
                need = f"an axis of `{match.name}` must be {format_dim(stated)}"
                problem = Unprovable(match.model, stated, size, need, suggest_equality(stated, size) or "")
                raise Failure(problem, match.use.name_span, match.marks())
            if not equal:
                raise match.mismatch(str(declared), f"{format_dim(stated)} is needed, but the tensor has {format_dim(size)}")
        same = match.value.type.dtype == declared.dtype
        # An input without a written type takes any float: as a stage, a model computes in the precision of its user.
        if not same and not (match.declared.dtype is None and match.value.type.dtype.is_float):
            raise match.mismatch(str(declared), f"needs {declared.dtype}, found {match.value.type.dtype}")

    def _check_where(self, view: ModelView, where: ast.Expr, node: ast.Apply, scope: Scope) -> None:
        try:
            holds = self.interpreter.evaluate(where, scope)
        except Failure as failure:
            # The condition of another file is about the tensors of this use.
            raise Failure(failure.problem, node.name_span, ((where.span, "stated here"), *failure.marks)) from None
        if holds is not True:
            why, help_ = f"`{where.span.text}` does not hold", "give it a tensor of a size for which this holds"
            raise Failure(ModelAsStage(view.block.name.name, why, help_), node.name_span, ((where.span, "stated here"),))


class _Match:
    """A tensor and the input that it is for, for messages."""

    def __init__(self, model: str, name: str, declared: ast.InputDecl, value: Value, use: ast.Apply, scope: Scope) -> None:
        """`name` is the name of the input, and `scope` the scope of its shape."""
        self.model, self.name, self.declared, self.value, self.use, self.scope = model, name, declared, value, use, scope

    def mismatch(self, declared: str, why: str) -> Failure:
        problem = PatternMismatch(self.model, self.name, declared, self.value.type, why)
        return Failure(problem, self.use.name_span, self.marks())

    def marks(self) -> tuple[tuple[Span, str], ...]:
        return (self.value.span, f"this is {self.value.type}"), (self.declared.span, "declared here")


def _make_view(definition: BlockDef) -> ModelView:
    chain = [definition]
    while isinstance(model := chain[-1].node, ast.ModelDecl) and (call := model.base) is not None:
        base = chain[-1].scope.find_model(call.name)
        if base is None and chain[-1].scope.may_lack(call.name):
            raise AlreadyReported
        if base is None:
            known = [*chain[-1].scope.model_names()]
            raise Failure(UnknownModel(call.name, tuple(find_similar_names(call.name, known)), tuple(known)), call.name_span)
        if any(base.node is earlier.node for earlier in chain):
            raise Failure(Recursion(call.name, "model"), call.name_span)
        chain.append(base)
    last = chain[-1].node
    # What a model expects is about the model alone, and checked with its file.
    statements = tuple(s for s in last.body.statements if not isinstance(s, ast.Expect))
    inputs = tuple(inputs_of(statements))
    name = definition.node.name
    if any(declared.each is not None for declared in inputs[:-1]):
        help_ = "move what both models need into a `block`"
        raise Failure(ModelAsStage(name.name, "an input before its last one is a list", help_), name.span)
    names = [*_name_inputs(statements, inputs)]
    tensors = tuple(
        ast.TensorParameter(declared.span, input_name, _items_of(declared.shape), many=declared.each is not None)
        for declared, input_name in zip(inputs, names, strict=True)
    )
    constants = tuple(p for p in definition.node.parameters if isinstance(p, ast.ParameterDecl))
    block = ast.Block(definition.node.span, name, (*constants, *tensors), last.body, takes_none=not inputs)
    return ModelView(block, tuple(chain), inputs, ast.Body(last.body.span, statements))


def _name_inputs(statements: tuple[ast.Statement, ...], inputs: tuple[ast.InputDecl, ...]) -> Iterator[ast.Name]:
    """The names of the inputs: as the text says, else `input`, which no text can bind, or `input2` and so on."""
    named: dict[int, ast.Name] = {}
    for statement in statements:
        match statement:
            case ast.Assign(targets=(target,), value=ast.Pipeline(head=ast.InputDecl() as declared, stages=())):
                named[id(declared)] = target
    used = {name.name for name in named.values()}
    for number, declared in enumerate(inputs, 1):
        free = UNNAMED_INPUT if UNNAMED_INPUT not in used else f"{UNNAMED_INPUT}{number}"
        name = named.get(id(declared)) or ast.Name(declared.span, free)
        used.add(name.name)
        yield name


def _items_of(shape: ast.Expr) -> tuple[ast.Expr, ...]:
    """The items of a shape, one for each axis if none of them is a list."""
    match shape:
        case ast.Dims(parts=items) | ast.ListExpr(items=items):
            return items
    return (shape,)


def _free_dimensions(view: ModelView, scope: Scope) -> Iterator[str]:
    for declared in view.inputs:
        for name in names_in_shape(declared.shape):
            if name.name.isupper() and name.name != BATCH and scope.find_binding(name.name) is None:
                yield name.name


def _open_lets(body: ast.Body, outside: Scope) -> Scope:
    """The scope of the inputs' shapes, with the `let`s of the model. A `let` that needs a tensor has no value yet."""
    inner = Scope(outside, outside.frame)
    for statement in body.statements:
        if isinstance(statement, ast.Let) and outside.find_binding(statement.name.name) is None:
            inner.bind_name(statement.name.name, LazyLet(statement, inner), statement.name.span)
    return inner
