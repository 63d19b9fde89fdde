"""The arguments of operators: what is written after a stage's name, matched with what the operator declares.

`bind_arguments` takes an operator class, the stage and its scope, and returns the operator with converted arguments and their spans. The
first argument that is wrong raises a `Failure` with its span.

    >>> import netc
    >>> (conv,) = netc.compile("input 3x8x8 -> conv 16 3x3 stride=2").program.main.nodes
    >>> conv.op.channels, conv.op.kernel, conv.op.stride, conv.op.padding
    (16, (3, 3), 2, 0)
"""

from __future__ import annotations

from typing import Any, NoReturn

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ...errors.argument_errors import ArgumentTwice, MissingArgument, UnknownArgument, WrongArgument
from ...ir.traced_floats import has_traced_float
from ...ops.initializers import INIT, INITIALIZERS
from ...ops.kinds import FLAG, InvalidArgument, Kind
from ...ops.operator import Init, Operator
from ...types.traced_ints import strip_formulas
from ..builtins import BUILTINS, LAYER_FUNCTIONS
from ..resource_limits import check_number
from ..scopes.compile_time_values import UNKNOWN, AbsentTensor, Flow, TrailingActivation
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Scope
from ..scopes.value_text import format_value
from .argument_edits import Hint, label_hint, move_activation_last, remove_arguments, replace_arguments
from .argument_hints import example_of, first_sizes, intended_value_hint, known_sizes_hint, relative_hint, similar_words, surplus_hint
from .block_arguments import did_you_mean, extra_argument_hint, is_activation, surplus_argument
from .compile_time_expressions import MISSPELLED
from .evaluator_protocol import EvaluatorPart
from .tensor_arguments import refuse_tensors


class BoundArguments(Record):
    """An operator with its arguments, their spans, the activation after it, and the stage that it is tied to."""

    op: Operator
    spans: dict[str, Span]
    activation: TrailingActivation | None
    tie: ast.Keyword | None


class RawArguments(Record):
    """The converted arguments that are written; required ones may be missing. `positional` are those without names."""

    args: dict[str, Any]
    spans: dict[str, Span]
    positional: tuple[ast.Expr, ...]
    activation: TrailingActivation | None
    tie: ast.Keyword | None


class ArgumentBinder(EvaluatorPart):
    def bind_arguments(self, cls: type[Operator], node: ast.Apply, scope: Scope, flow: Flow | None = None) -> BoundArguments:
        """Checks and converts the arguments of an operator. The tensors of `flow` are for errors."""
        raw = self.convert_written(cls, node, scope, flow)
        missing = next((a for a in cls.required if a.name not in raw.args), None)
        if missing is not None:
            raise Failure(MissingArgument(cls.name, missing.name, missing.kind.describe_values(), example_of(cls)), node.name_span)
        return BoundArguments(self.session.inferences.make_operator(cls, raw.args), raw.spans, raw.activation, raw.tie)

    def convert_written(self, cls: type[Operator], node: ast.Apply, scope: Scope, flow: Flow | None = None) -> RawArguments:
        """Checks and converts the arguments that are written."""
        positional, activation = self._split_activation(cls, node, scope)
        if node.activation is not None:
            activation = self._trailing_activation(cls, node, node.activation, scope)
        slots = cls.slots
        if len(positional) > len(slots):
            if self._has_failed(positional[len(slots)], scope):
                raise AlreadyReported
            sizes = first_sizes(flow, self.session.sizes_first(cls))
            hint = surplus_hint(cls, slots, replace(node, positional=positional), scope, sizes, self.session.foreign_order(cls))
            raise surplus_argument(cls.name, len(slots), positional[len(slots)], hint, tuple(cls.signature))
        refuse_tensors(cls, slots, positional, scope)
        args: dict[str, Any] = {}
        spans: dict[str, Span] = {}
        for arg, expr in zip(slots, positional, strict=False):
            args[arg.name] = self.convert_argument(cls.name, arg.name, arg.kind, expr, scope)
            spans[arg.name] = expr.span
        tie = self._convert_keywords(cls, node, args, spans, scope, flow)
        # Written arguments win over the model's `default`s.
        args = self.session.defaults.get(cls.name, {}) | args
        return RawArguments(args, spans, positional, activation, tie)

    def _convert_keywords(
        self, cls: type[Operator], node: ast.Apply, args: dict[str, Any], spans: dict[str, Span], scope: Scope, flow: Flow | None
    ) -> ast.Keyword | None:
        """Adds the keyword arguments to `args` and `spans`; returns the keyword `tie`."""
        sizes: list[tuple[str, Any]] = []
        tie = None
        for keyword in node.keywords:
            arg = cls.aliases.get(keyword.name)
            if arg is not None:
                # An absent optional tensor is left out, so that a block can pass on what it was not given.
                if _is_absent(keyword.value, scope):
                    continue
                if arg.name in args:
                    _reject_duplicate(node, keyword, spans[arg.name], self._sizes_written(cls, node, flow))
                args[arg.name] = self.convert_argument(cls.name, arg.name, arg.kind, keyword.value, scope)
                spans[arg.name] = keyword.value.span
            elif keyword.name == "tie":
                if tie is not None:
                    raise Failure(ArgumentTwice(cls.name, "tie"), keyword.span, ((tie.span, "first here"),))
                tie = keyword
            elif cls.open_keywords is not None:
                sizes.append((keyword.name, self.convert_argument(cls.name, keyword.name, cls.open_keywords, keyword.value, scope)))
                spans[keyword.name] = keyword.span
            else:
                raise self._unknown_argument(cls, node, keyword, list(cls.aliases), scope)
            self.session.index.record_name(keyword.name_span, keyword.name, None, None, "argument")
        if cls.open_keywords is not None:
            args["sizes"] = tuple(sizes)
        return tie

    def _sizes_written(self, cls: type[Operator], node: ast.Apply, flow: Flow | None) -> Hint:
        """For PyTorch's order with names, `conv(3, 16, kernel_size=3)`: the first arguments are the sizes of the input."""
        sizes = first_sizes(flow, self.session.sizes_first(cls))
        first = tuple(expr.span.text for expr in node.positional[: len(sizes)])
        if not sizes or first != sizes:
            return Hint()
        edits = remove_arguments(node, node.positional[0].span, node.positional[len(sizes) - 1].span, safe=True)
        return replace(known_sizes_hint(cls, node, len(sizes)), edits=edits)

    def _has_failed(self, expr: ast.Expr, scope: Scope) -> bool:
        """Whether the expression is the name of something that has failed."""
        binding_and_scope = scope.find_binding(expr.name) if isinstance(expr, ast.Name) else None
        return binding_and_scope is not None and binding_and_scope[0].value is UNKNOWN

    def convert_defaults(self, cls: type[Operator], keywords: tuple[ast.Keyword, ...], scope: Scope) -> dict[str, Any]:
        """The arguments of a `default`, whose integers are traced to nothing."""
        node = ast.Apply(keywords[0].span, cls.name, keywords[0].name_span, (), keywords)
        args = self.convert_written(cls, node, scope).args
        self.session.decisions.pin_value(tuple(args.values()))
        return {name: strip_formulas(value) for name, value in args.items()}

    def _unknown_argument(self, cls: type[Operator], node: ast.Apply, keyword: ast.Keyword, known: list[str], scope: Scope) -> Failure:
        hint, advice = label_hint(node, keyword), self.session.foreign_argument(cls, keyword.name)
        quoted = keyword.value.value if isinstance(keyword.value, ast.String) else ""
        activation_hint = self._activation_with(cls, node, keyword)
        if activation_hint:
            hint = activation_hint
        elif cls.takes_activation and (is_activation(quoted) or self.interpreter.find_activation(keyword.value, scope)):
            bare = quoted or keyword.value.span.text
            sentence = f"write the activation without a name, after the other arguments: `{bare}`"
            hint = Hint(sentence, move_activation_last(node, keyword.span, bare))
        edits = remove_arguments(node, keyword.span, keyword.span, safe=True) if advice.removes else hint.edits
        close = tuple(find_similar_names(keyword.name, known))
        longer = [name for name in cls.operands if name.endswith(f"_{keyword.name}")]
        close = close or tuple(longer or find_similar_names(keyword.name, list(cls.operands)))
        if not (hint or advice.help or close):
            hint = relative_hint(cls, keyword)
        others = [operand.alias or name for name, operand in cls.operands.items() if not operand.many][1:]
        tensors = tuple(name for name in others if name not in cls.signature)
        problem = UnknownArgument(cls.name, keyword.name, close, tuple(cls.signature), hint.help, advice, tensors)
        return Failure(problem, keyword.name_span, edits=edits)

    def _activation_with(self, cls: type[Operator], node: ast.Apply, keyword: ast.Keyword) -> Hint:
        """The hint for an argument of the activation, `dense 4 gelu approximate=tanh`: both belong in parentheses."""
        last = node.positional[-1] if node.positional else None
        if not cls.takes_activation or node.called or not isinstance(last, ast.Name) or not is_activation(last.name):
            return Hint()
        if keyword.name not in Operator.registry[last.name].aliases:
            return Hint()
        written = f"({last.name} {keyword.span.text})"
        between = [k for k in node.keywords if last.span.end <= k.span.start < keyword.span.start]
        edits = () if between else replace_arguments(last.span, keyword.span, written)
        return Hint(f"it is an argument of `{last.name}`: write `{written}`", edits)

    def _split_activation(
        self, cls: type[Operator], node: ast.Apply, scope: Scope
    ) -> tuple[tuple[ast.Expr, ...], TrailingActivation | None]:
        """Splits `2 sigmoid` into the arguments and the activation."""
        if not cls.takes_activation or not node.positional or node.called:
            return node.positional, None
        activation = self.interpreter.find_activation(node.positional[-1], scope)
        return (node.positional[:-1], activation) if activation is not None else (node.positional, None)

    def _trailing_activation(self, cls: type[Operator], node: ast.Apply, name: ast.Expr, scope: Scope) -> TrailingActivation:
        """Return the activation that follows the keywords; nothing else may follow them without a name."""
        activation = self.interpreter.find_activation(name, scope)
        if activation is not None and cls.takes_activation:
            return activation
        hint = extra_argument_hint(name, node)
        raise surplus_argument(cls.name, len(cls.slots), name, hint or Hint("arguments without names come before those with names"))

    def convert_argument(self, owner: str, name: str, kind: Kind[Any], expr: ast.Expr, scope: Scope) -> Any:
        """The value of an argument, converted to its kind."""
        value = self.evaluate_raw(owner, name, kind, expr, scope)
        try:
            converted = kind.convert_value(value)
            kept = converted.values if isinstance(converted, Init) else converted
            # The operator's behavior depends on the number itself, so another number needs another graph.
            if not kind.varies or (has_traced_float(value) and not has_traced_float(kept)):
                self.session.decisions.pin_value(value)
                converted = strip_formulas(converted)
            check_number(converted, expr.span)  # 1e300 is an integer too
            return converted
        except InvalidArgument:
            hint = intended_value_hint(kind, value, expr.span)
            raise Failure(
                WrongArgument(owner, name, kind.describe_values(), format_value(value), hint.help), expr.span, edits=hint.edits
            ) from None

    def evaluate_raw(self, owner: str, name: str, kind: Kind[Any], expr: ast.Expr, scope: Scope) -> Any:
        """The value of an argument as it is written. A bare word of the kind is that word."""
        word = _bare_word(expr)
        # `padding=same` is the word even if the text defines `same`.
        if word in kind.words:
            return word
        unknown = self._unknown_word(kind, expr, scope)
        if unknown:
            hint = did_you_mean(similar_words(kind, unknown))
            written = f"`{unknown}`" if isinstance(expr, ast.Name) else f"`{unknown}(...)`"
            raise Failure(WrongArgument(owner, name, kind.describe_values(), written, hint), expr.span)
        value = self.interpreter.evaluate(expr, scope)
        check_number(value, expr.span)
        return value

    def _unknown_word(self, kind: Kind[Any], expr: ast.Expr, scope: Scope) -> str:
        """A name where one of the kind's words must be, or a call of no function where an initializer must be; else empty."""
        match expr:
            case ast.Name(name=name) if (kind.words or kind is FLAG) and self._is_unbound(name, scope):
                return name
            case ast.Call(function=ast.Name(name=name)) if kind is INIT and self._is_unbound(name, scope):
                return "" if name in (*BUILTINS, *LAYER_FUNCTIONS, *INITIALIZERS) else name
        return ""

    def _is_unbound(self, name: str, scope: Scope) -> bool:
        return name not in MISSPELLED and scope.find_binding(name) is None and name not in self.session.dims

    def convert_flag(self, owner: str, keyword: ast.Keyword, scope: Scope) -> bool:
        """The value of a keyword that must be true or false."""
        value: bool = self.convert_argument(owner, keyword.name, FLAG, keyword.value, scope)
        return value


def _is_absent(expr: ast.Expr, scope: Scope) -> bool:
    """Whether the value is an argument that a definition passes on, and that its use was not given: it is left out here too."""
    binding_and_scope = scope.find_binding(expr.name) if isinstance(expr, ast.Name) else None
    return binding_and_scope is not None and isinstance(binding_and_scope[0].value, AbsentTensor)


def _reject_duplicate(node: ast.Apply, keyword: ast.Keyword, earlier: Span, hint: Hint) -> NoReturn:
    if earlier.start > keyword.span.start:
        raise AlreadyReported  # the parser has reported an argument in the wrong place
    positional = any(expr.span == earlier for expr in node.positional)
    problem = ArgumentTwice(node.name, keyword.name, hint.help if positional else "")
    raise Failure(problem, keyword.span, ((earlier, "first here"),), edits=hint.edits if positional else ())


def _bare_word(expr: ast.Expr) -> str:
    """A bare word, perhaps with a minus before it; empty for any other expression."""
    match expr:
        case ast.Name(name=name):
            return name
        case ast.Unary(op="-", operand=ast.Name(name=name)):
            return f"-{name}"
    return ""
