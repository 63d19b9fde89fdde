"""The syntax tree of a `.net` text, before names are resolved.

The nodes are frozen and have spans. There are two kinds of expressions: *compile-time* ones (`Expr`: numbers, lists, arithmetic on
dimensions) and *tensor* ones (`Tensor`: pipelines, stages, arithmetic over them). The parser does not decide whether a bare name in a
tensor expression is a tensor, a block or an operator: all of them are an `Apply`.

All nodes are in this one file, because their types refer to each other in a circle: an argument of a stage is an `Expr`, a `StageExpr` has
a stage, a loop has a `Body`, and a body has statements.

    >>> from .parser import parse_value
    >>> from .source import SourceFile
    >>> parse_value(SourceFile("<text>", "2 * n"))[0]
    Binary(span=<text>:1:1, op='*', left=NumberLiteral(span=<text>:1:1, value=2), right=Name(span=<text>:1:5, name='n'))
"""

from __future__ import annotations

from .record import Record
from .source import Span


class Node(Record):
    """Any node. `span` covers the node's whole text."""

    span: Span


# --- compile-time expressions ---------------------------------------------------------------------------------------------


class Expr(Node):
    pass


class NumberLiteral(Expr):
    """`50_257`, `1e-5`: an int or a float."""

    value: int | float


class String(Expr):
    value: str


class TemplateString(Expr):
    """`"attn.{j}"`: literal texts and expressions, in order."""

    parts: tuple[str | Expr, ...]


class Boolean(Expr):
    value: bool


class Dims(Expr):
    """A dims literal: `3x224x224`, `3xHxW`. Each part is a `NumberLiteral` or a `Name`."""

    parts: tuple[Expr, ...]


class ListExpr(Expr):
    """`[a, b]`, also every shape."""

    items: tuple[Expr, ...]


class Name(Expr):
    """A name, or the keyword `in`."""

    name: str


class NamePattern(Node):
    """`(i, (a, b))`: names for the items of a list, and of lists in it."""

    parts: tuple[Name | NamePattern, ...]

    @property
    def names(self) -> tuple[Name, ...]:
        """All names in it."""
        return tuple(name for part in self.parts for name in ((part,) if isinstance(part, Name) else part.names))


class Attribute(Expr):
    """`value.name`: `x.shape`, `in.channels`."""

    value: Expr
    name: str


class IndexExpr(Expr):
    value: Expr
    index: Expr


class Unary(Expr):
    """`op` is `-`, `+` or `not`."""

    op: str
    operand: Expr


class Binary(Expr):
    """`op` is one of `+ - * / // % ** == != < <= > >= and or in`."""

    op: str
    left: Expr
    right: Expr


class Conditional(Expr):
    """`then if test else otherwise`."""

    then: Expr
    test: Expr
    otherwise: Expr


class Call(Expr):
    """`function(arguments, key=value)`: a builtin, a `fn`, an initializer such as `normal(0.02)`, or an operator or block on tensors."""

    function: Name
    arguments: tuple[Expr, ...]
    keywords: tuple[Keyword, ...] = ()


class StageExpr(Expr):
    """`(name positional* keyword* activation?)`, at least one of them: a stage with arguments as a value. The stage has no label."""

    stage: Apply


class PipelineExpr(Expr):
    """A pipeline as a value: `(a -> b)` in an expression, or `a -> b` as an argument of a call. The group has no label and no arguments."""

    group: Group


class ForClause(Node):
    """`for i in over`, `for (i, w) in over`. One binder without parentheses is a pattern of one name."""

    binders: NamePattern
    over: Expr


class Comprehension(Expr):
    """`[item for i in list if condition]`: `clauses` are `for`s, and the conditions of `if`s, the first one a `for`."""

    item: Expr
    clauses: tuple[ForClause | Expr, ...]


# Each name has a node of its own, so that every pass that handles `let` handles unpacking too. The nodes share one `value` object: passes
# that must look at the list once go by its identity.
class UnpackedItem(Expr):
    """The part of a list that `name` is in a pattern: `let (a, b) = value` is a `Let` of such a part for each name."""

    value: Expr
    pattern: NamePattern
    name: Name


class Range(Expr):
    """`start..stop`, without `stop`."""

    start: Expr
    stop: Expr


# --- labels and arguments --------------------------------------------------------------------------------------------------


class Label(Node):
    """`as name{expr}`: literal texts and expressions, in order. The span does not include the `as`."""

    parts: tuple[str | Expr, ...]


class Keyword(Node):
    """`name=value` after a stage. `name_span` covers the name only."""

    name: str
    name_span: Span
    value: Expr


# --- tensor expressions ----------------------------------------------------------------------------------------------------


class Tensor(Node):
    pass


class Pipeline(Tensor):
    """`head -> stage -> stage`. A statement such as `a + b` is a pipeline without stages."""

    head: Tensor
    stages: tuple[Tensor, ...]


class Scalar(Tensor):
    """A number in tensor arithmetic: `1 - x`."""

    value: int | float


# A bare name is not one, because only the scope tells a number from a tensor.
class ValueOperand(Tensor):
    """A compile-time value in tensor arithmetic: `x / in.features`, `x * sizes.shape[1]`. A bare name is an `Apply`."""

    value: Expr


class TensorBinary(Tensor):
    """`op` is one of `+ - * / // % ** @ == != < <= > >=`."""

    op: str
    left: Tensor
    right: Tensor


class TensorUnary(Tensor):
    """`op` is `-`."""

    op: str
    operand: Tensor


class Apply(Tensor):
    """`name positional* keyword* activation? label?`: an operator, a block, a shared stage, or the bare name of a tensor or a
    compile-time value.

    `name` is `in` for the keyword. `called` is true for `name(a, b)` without a space before the parenthesis: the arguments are then the
    positional ones, and the name may be a compile-time function's. `name_span` covers the name only. `activation` is a bare name
    or a `StageExpr` after the keywords; without keywords it is the last of the positional arguments.
    """

    name: str
    name_span: Span
    positional: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]
    label: Label | None = None
    called: bool = False
    # Only the position after keywords makes it an activation here. Without keywords, `dense 2 relu` needs the operator's signature.
    activation: Expr | None = None


class Group(Tensor):
    """`( pipeline ) trainable=false as label`, or a tuple `(a, b)`: more than one member."""

    members: tuple[Pipeline, ...]
    label: Label | None = None
    keywords: tuple[Keyword, ...] = ()


class CollectedResults(Node):
    """The results of each iteration that `(h, keys[]) = ... -> repeat` collects: `lists` are the indices of these results, from the end
    after a `name...`, and `before` and `after` the numbers of all results before and after it (all are before it if there is none)."""

    lists: tuple[int, ...]
    before: int
    after: int | None


class Repeat(Tensor):
    """`repeat (binder in)? count label? { body }`. Without a binder, `over` is a count; with one, a count, a range or a list. One binder
    without parentheses is a pattern of one name, none at all an empty one."""

    binders: NamePattern
    over: Expr
    label: Label | None
    body: Body
    collected: CollectedResults | None = None


class Each(Tensor):
    """`each binder in over label? { body }`: every branch gets the same input; the results are a tuple."""

    binders: NamePattern
    over: Expr
    label: Label | None
    body: Body


class ScanState(Node):
    """`name = start`: a state of a `scan`, and what it is before the first step."""

    name: Name
    start: Pipeline


class Scan(Tensor):
    """`scan (name = start, ...) axis=1 reverse=true { body }`: one step of the loop, for each position of an axis of the input."""

    states: tuple[ScanState, ...]
    keywords: tuple[Keyword, ...]
    body: Body


class If(Tensor):
    """`if test { then } else { otherwise }`; `else if` is an `otherwise` whose only statement is an `If`."""

    test: Expr
    then: Body
    otherwise: Body | None


class Is(Tensor):
    """`is [N, 196, 768]`. `shape` is a list, or an expression whose value is one."""

    shape: Expr


class InputDecl(Tensor):
    """`input shape dtype? batch=false? for i in list where conditions`. `shape` is a `NumberLiteral`, `Dims`, `ListExpr` or
    any value that is an integer or a list; `dtype` a `Name`."""

    shape: Expr
    dtype: Name | None
    keywords: tuple[Keyword, ...]
    where: tuple[Expr, ...]
    each: ForClause | None = None


class ParamDecl(Tensor):
    """`param [shape] dtype? init=zeros trainable=false as label`."""

    shape: Expr
    dtype: Name | None
    keywords: tuple[Keyword, ...]
    label: Label | None


class TableDecl(Tensor):
    """`table (i, j) [shape] dtype? = formula as label`."""

    indices: tuple[Name, ...]
    shape: Expr
    dtype: Name | None
    formula: Expr
    label: Label | None


class StoredTableDecl(Tensor):
    """`table [shape] dtype? file="x.safetensors" name="y" as label`."""

    shape: Expr
    dtype: Name | None
    keywords: tuple[Keyword, ...]
    label: Label | None


# --- statements and items ----------------------------------------------------------------------------------------------------


class Statement(Node):
    pass


class Assign(Statement):
    """`name = pipeline` or `(a, b) = pipeline`. One target without parentheses: `unpack` is false. `rests` are the indices of the targets
    that are written `name...` and take the remaining tensors, `lists` those written `name[]` that a loop collects."""

    targets: tuple[Name, ...]
    unpack: bool
    value: Pipeline
    rests: tuple[int, ...] = ()
    lists: tuple[int, ...] = ()


class Let(Statement):
    """`let name = value`. `let (a, b) = value` is one for each name, whose value is `UnpackedItem`."""

    name: Name
    value: Expr


class Out(Statement):
    results: tuple[Pipeline, ...]


class Expect(Statement):
    """An assertion about the model."""


class ExpectCondition(Expect):
    """`expect params == 25_557_032`."""

    condition: Expr


class ExpectShape(Expect):
    """`expect output [N, 1000]`."""

    name: Name
    shape: Expr


class ExpectClaim(Expect):
    """`expect output ignores mask`. `verb` is a word of claims, and `subject` an input or a dimension."""

    name: Name
    verb: Name
    subject: Name


class Shared(Statement):
    """`shared name = stage`."""

    name: Name
    stage: Tensor


class Default(Statement):
    """`default dense init=normal(0.02)`: arguments that an operator has throughout a model, unless a stage gives others."""

    operator: Name
    keywords: tuple[Keyword, ...]


class Flow(Statement):
    """A pipeline as a statement, without a name."""

    pipeline: Pipeline


class Metric(Statement):
    """`metric name = pipeline`, in a train section."""

    name: Name
    value: Pipeline


class Setting(Statement):
    """`optimizer adamw lr=1e-3`, in a train section: a word with what is said of it, as stages that no tensor runs through."""

    word: Name
    stages: tuple[Tensor, ...]


# The names stay known, so that one mistake does not make every later use of them an error.
class Broken(Statement):
    """A statement, or definition, that did not parse and has been reported; `names` are those it would have defined."""

    names: tuple[Name, ...]


class Body(Node):
    """The statements between braces, or the top-level statements of a file."""

    statements: tuple[Statement, ...]


class Use(Node):
    """`use "path": a, b`; no names: all of them."""

    path: String
    names: tuple[Name, ...]


class ParameterDecl(Node):
    """A compile-time parameter of a block, model or fn."""

    name: Name
    default: Expr | None


class TensorParameter(Node):
    """`x: [N, T, D]`, `mask?: [N, T]`, `rest...`, `rest...: [N, D]`. Of the pattern's items, a `Name` `_` matches anything and a `Name`
    `...` any leading axes; `rest...` alone has the pattern `[...]`. An `optional` one may be absent, one that is `many` is a tuple."""

    name: Name
    pattern: tuple[Expr, ...]
    optional: bool = False
    many: bool = False


class NoTensor(Node):
    """`in: none`, in place of the tensors of a block that takes none."""


class Fn(Node):
    name: Name
    parameters: tuple[ParameterDecl, ...]
    body: Expr


class Block(Node):
    """`takes_none`: it says `in: none`. The tensors among the parameters are in the order required, optional, many."""

    name: Name
    parameters: tuple[ParameterDecl | TensorParameter, ...]
    body: Body
    takes_none: bool = False


class ModelDecl(Node):
    """`model name(parameters) { body }`, or `model name(parameters) = base arguments { expects }`: the base with its parameters set."""

    name: Name
    parameters: tuple[ParameterDecl | TensorParameter, ...]
    body: Body
    base: Apply | None = None


class TrainDecl(Node):
    """`train name(parameters) for model arguments { body }`, or `train name(parameters) = base arguments { body }`. Without a name it has
    that
    of its model; without a model it is for the one that it is called after, or the only one."""

    name: Name | None
    parameters: tuple[ParameterDecl | TensorParameter, ...]
    model: Apply | None
    body: Body
    base: Apply | None = None


Definition = Use | Fn | Block | ModelDecl | TrainDecl
Item = Definition | Statement


class File(Node):
    """A whole text, its items in the order they were written."""

    items: tuple[Item, ...]
