"""Operators and blocks written as functions: `exp(0.5 * x)` is `0.5 * x -> exp`, `concat(a, b)` is `(a, b) -> concat`.

The arguments that are tensors come first and are the input of the stage; the others are its positional arguments.

    >>> import netc
    >>> [node.op for node in netc.compile("x = input 3; softmax(exp(x), axis=1)").program.main.nodes]
    [exp(), softmax(axis=1)]
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Edit

from ...errors.argument_errors import NotForTensors
from ...errors.binding_errors import NotATensor
from ...ir.graph_values import Value
from ..builtins import NONFINITE_CONSTANTS, TENSOR_FUNCTIONS
from ..scopes.compile_time_values import CONST_TYPES, UNKNOWN, AbsentTensor, Flow, TensorTuple, Unknown, flow_of, parts_of
from ..scopes.early_exits import Failure
from ..scopes.scope import BlockDef, Scope, SharedDef, StageClosure
from .argument_edits import Hint, strip_brackets
from .evaluator_protocol import EvaluatorPart, Interpreter
from .stage_parameters import StageParameters, is_parameter
from .tensor_arithmetic import emit_infix, emit_prefix

ARITHMETIC = ("+", "-", "*", "/", "//", "%", "@", "**", "==", "!=", "<", "<=", ">", ">=")


_MAX_HELP_LENGTH = 60
"""The longest text that a help repeats."""


class CallSyntax(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, parameters: StageParameters) -> None:
        super().__init__(interpreter)
        self._parameters = parameters

    def split_call(self, node: ast.Apply, scope: Scope) -> tuple[ast.Apply, Flow]:
        """The stage that a call is, and its input."""
        # The tensors come first, so the first argument without one ends the stage's input.
        count = next((i for i, a in enumerate(node.positional) if not has_tensor(a, scope)), len(node.positional))
        late = next((a for a in node.positional[count:] if has_tensor(a, scope)), None)
        if late is not None:
            hint = _tensors_first(node, count, scope)
            raise Failure(NotATensor("a compile-time value", hint.help), node.positional[count].span, edits=hint.edits)
        flows = [self.evaluate_with_tensors(a, scope) for a in node.positional[:count]]
        stage = ast.Apply(node.span, node.name, node.name_span, node.positional[count:], node.keywords, node.label, False, node.activation)
        parts_of_flows = [None if isinstance(f, CONST_TYPES) else parts_of(f) for f in flows]
        if any(f is None for f in parts_of_flows):
            return stage, UNKNOWN
        return stage, flow_of(tuple(part for f in parts_of_flows if f is not None for part in f))

    def evaluate_with_tensors(self, expr: ast.Expr, scope: Scope) -> Any:
        """The value of an expression in which tensors may occur: a tensor, or a compile-time value."""
        if not has_tensor(expr, scope):
            return self._evaluate_number(expr, scope)
        match expr:
            case ast.Name(span, name):
                return self.interpreter.run_operand(ast.Apply(span, name, span, (), ()), scope)
            case ast.Attribute():
                return self._parameters.read_parameter(expr, scope)
            case ast.PipelineExpr(_, group):
                return self.interpreter.run_operand(group, scope)
            case ast.Binary(op=op) if op in ARITHMETIC:
                return self._evaluate_chain(expr, scope)
            case ast.Unary(_, "-", inner):
                return emit_prefix(expr, self.evaluate_with_tensors(inner, scope), scope, self.session)
            case ast.Call(span, function, arguments, keywords):
                call = ast.Apply(span, function.name, function.span, arguments, keywords, called=True)
                return self.interpreter.run_operand(call, scope)
        raise Failure(NotForTensors(*_explain_refusal(expr)), expr.span)

    def _evaluate_number(self, expr: ast.Expr, scope: Scope) -> Any:
        """The value of an expression without tensors; next to a tensor it may be infinite."""
        match expr:
            case ast.Name(name=name) if name in NONFINITE_CONSTANTS and scope.find_binding(name) is None:
                return NONFINITE_CONSTANTS[name]
            case ast.Unary(op="-", operand=ast.Name(name=name)) if name in NONFINITE_CONSTANTS and scope.find_binding(name) is None:
                return -NONFINITE_CONSTANTS[name]
        return self.interpreter.evaluate(expr, scope)

    def _evaluate_chain(self, expr: ast.Binary, scope: Scope) -> Any:
        """`a + b + c ...`: a loop rather than recursion, so that the length of a chain is not limited."""
        chain = [expr]
        while isinstance(chain[-1].left, ast.Binary) and chain[-1].left.op in ARITHMETIC:
            chain.append(chain[-1].left)
        value = self.evaluate_with_tensors(chain[-1].left, scope)
        for step in reversed(chain):
            value = emit_infix(step, value, self.evaluate_with_tensors(step.right, scope), scope, self.session)
        return value


def is_called_on_tensors(node: ast.Apply, scope: Scope) -> bool:
    """Whether a called name has tensors as arguments, rather than compile-time values."""
    if not node.called or node.name in TENSOR_FUNCTIONS:
        return False
    return any(has_tensor(a, scope) for a in node.positional) or any(has_tensor(k.value, scope, False) for k in node.keywords)


def makes_tensors(name: str, scope: Scope) -> bool:
    """Whether a name is a block that takes no tensors, and so begins a pipeline."""
    binding_and_scope = scope.find_binding(name)
    if binding_and_scope is None:
        return False
    match binding_and_scope[0].value:
        case SharedDef(stage=ast.Apply(name=shared), scope=where):
            return makes_tensors(shared, where)
        case BlockDef(node=ast.Block() as block) | StageClosure(stage=BlockDef(node=ast.Block() as block)):
            return block.takes_none
        case _:
            return False


def has_tensor(expr: ast.Expr, scope: Scope, unknown: bool = True) -> bool:
    """Whether an expression contains tensors, or what has failed before if `unknown`. Attributes of a tensor, such as the shape, do not
    count."""
    kinds = (Value, TensorTuple, AbsentTensor, Unknown) if unknown else (Value, TensorTuple, AbsentTensor)
    # A loop, because an expression may be as deep as its text is long.
    stack = [expr]
    while stack:
        match stack.pop():
            case ast.PipelineExpr():
                return True
            case ast.Attribute() as attribute:
                # `embed.weight` is a tensor, `x.shape` is not, and both are a name with a dot.
                if is_parameter(attribute, scope):
                    return True
            case ast.Call(function=ast.Name(name=name)) if name in TENSOR_FUNCTIONS:
                continue
            case ast.Call(function=ast.Name(name=name)) if makes_tensors(name, scope):
                return True
            case ast.IndexExpr(value=value):
                stack.append(value)
            case ast.Name(name=name):
                binding_and_scope = scope.find_binding(name)
                if binding_and_scope is not None and isinstance(binding_and_scope[0].value, kinds):
                    return True
            case other:
                children = [getattr(other, f) for f in other.__match_args__]
                flat = [c for child in children for c in (child if isinstance(child, tuple) else (child,))]
                stack += [c for c in flat if isinstance(c, ast.Expr)]
    return False


def _explain_refusal(expr: ast.Expr) -> tuple[str, str]:
    """Why a construct takes no tensors, and what does."""
    match expr:
        case ast.ListExpr():
            return (
                "a list cannot contain tensors",
                "write them as a tuple, `(a, b) -> concat axis=1`, or one by one, `concat(a, b, axis=1)`",
            )
        case ast.IndexExpr():
            return "a tensor cannot be indexed", "take a part with a stage: `x -> select axis=1 index=0`, `x -> slice axis=1 stop=8`"
        case ast.Conditional():
            return (
                "`if` and `else` are only defined for compile-time values, not for tensors",
                "for element-wise logic, write `(condition, a, b) -> where`",
            )
        case ast.Binary(op="and" | "or" as op):
            return f"`{op}` does not apply to tensors", f"for element-wise logic, write `(a, b) -> logical_{op}`"
        case ast.Unary(op="not"):
            return "`not` does not apply to tensors", "for element-wise logic, write `a -> logical_not`"
    return "such an expression cannot contain tensors", ""


def _tensors_first(node: ast.Apply, count: int, scope: Scope) -> Hint:
    """Help for a tensor after other arguments, such as Keras's `Dense(64)(x)`, and `where(c, 0, x)`."""
    *others, last = (e.span.text for e in node.positional)
    short = len(node.span.text) <= _MAX_HELP_LENGTH and "\n" not in node.span.text
    if node.name == "where" and short and len(node.positional) == 3 and not node.keywords and has_tensor(node.positional[2], scope):
        written = f"where({others[0]}, {last}, {others[1]}, reverse=true)"
        return Hint(f"tensors come first: `{written}`", (Edit(node.span, written),))
    written = f"{strip_brackets(last)} -> {' '.join((node.name, *others))}"
    shown = count == 0 and len(written) <= _MAX_HELP_LENGTH and "\n" not in written
    return Hint(f"tensors come first: `{written}`" if shown else "tensors come first")
