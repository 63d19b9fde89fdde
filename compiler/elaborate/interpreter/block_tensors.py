"""The tensors of a use of a block, by the parameters that declare them.

`assign_tensors` takes the block, its input, and the tensors that are given by name, and returns `BlockTensors`. The tensors of the input
are the declared ones in order, and the rest of them belong to `rest...`; an optional one may be absent.

    >>> from netc.analysis import Choice, analyze
    >>> from netc.dsl.source import SourceFile
    >>> text = "block gate(x: [N, A], y: [N, A]) { x * y }; input 3 -> gate"
    >>> (error,) = analyze(SourceFile("<text>", text), Choice()).diagnostics
    >>> error.message, error.help
    ('`gate` takes 2 tensors, `x` and `y`, found 1', ('pass it a tuple: `(x, y) -> gate`',))
"""

from __future__ import annotations

from collections.abc import Mapping

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...errors.argument_errors import ArgumentTwice, WrongTensors
from ...ir.graph_values import Parts, Value, flatten_parts
from ..scopes.compile_time_values import Flow, TensorTuple, flow_of, split_parts
from ..scopes.early_exits import Failure


class BlockTensors(Record):
    """The tensors that a use gives a block, in the order of its parameters. `counts`: the number for each parameter, none if it is
    absent; empty for a block that declares no tensors."""

    parts: Parts
    counts: tuple[int, ...]

    @property
    def flow(self) -> Flow:
        """All of them as the input of the body."""
        return flow_of(self.parts)

    @property
    def values(self) -> list[Value]:
        return list(flatten_parts(self.parts))


def declared_tensors(block: ast.Block) -> list[ast.TensorParameter]:
    """The tensors that a block declares."""
    return [p for p in block.parameters if isinstance(p, ast.TensorParameter)]


def assign_tensors(block: ast.Block, parts: Parts, named: Mapping[str, Parts], node: ast.Apply) -> BlockTensors:
    """The tensors of a use: `parts` are its input, `named` those given by name. Rejects too many, too few, and one given twice."""
    parameters = declared_tensors(block)
    if not parameters:
        if len(flatten_parts(parts)) != (0 if block.takes_none else 1):
            raise _wrong_count(block, parts, node)
        return BlockTensors(parts, ())
    single = [p for p in parameters if not p.many]
    # The rest keeps what is known of the tuple that it is from.
    front, rest, _ = split_parts(parts, min(len(single), len(flatten_parts(parts))), 0)
    by_name: dict[str, Parts] = {p.name.name: (v,) for p, v in zip(single, front, strict=False)}
    if parameters[-1].many and flatten_parts(rest):
        by_name[parameters[-1].name.name] = rest
    elif flatten_parts(rest):
        raise _wrong_count(block, parts, node)
    for name, value in named.items():
        if name in by_name:
            keyword = next(k for k in node.keywords if k.name == name)
            raise Failure(
                ArgumentTwice(block.name.name, name), keyword.span, ((flatten_parts(by_name[name])[0].span, "this is its input already"),)
            )
        by_name[name] = value
    # Checked last, because a required tensor may have come by name.
    if any(p.name.name not in by_name for p in parameters if not (p.optional or p.many)):
        raise _wrong_count(block, tuple(part for some in by_name.values() for part in some), node)
    ordered = [by_name.get(p.name.name, ()) for p in parameters]
    return BlockTensors(tuple(part for some in ordered for part in some), tuple(len(flatten_parts(some)) for some in ordered))


def split_by_parameter(parameters: list[ast.TensorParameter], counts: tuple[int, ...], all_tensors: TensorTuple) -> list[Flow | None]:
    """Return the value of each parameter within the body, None if it is absent. A tuple comes last."""
    values: list[Flow | None] = []
    position = 0
    for parameter, count in zip(parameters, counts, strict=True):
        if parameter.many:
            values.append(TensorTuple(split_parts(all_tensors.parts, position, 0)[1]))
        else:
            values.append(all_tensors.values[position] if count else None)
        position += count
    return values


def _wrong_count(block: ast.Block, parts: Parts, node: ast.Apply) -> Failure:
    name, parameters, values = block.name.name, declared_tensors(block), flatten_parts(parts)
    marks: tuple[tuple[Span, str], ...] = tuple((v.span, f"this is {v.type}") for v in values[:3])
    least = [p for p in parameters if not (p.optional or p.many)]
    hint = f"pass it a tuple: `({', '.join(p.name.name for p in least)}) -> {name}`" if len(least) > 1 else ""
    if block.takes_none:
        hint = f"begin a pipeline with it: `{name} -> ...`"
    elif not parameters:
        hint = f"declare the tensors of a block that takes several: `block {name}(a: [...], b: [...])`, or `block {name}(all...)`"
    return Failure(WrongTensors(name, _describe_tensors(block), len(values), hint), node.name_span, marks)


def _describe_tensors(block: ast.Block) -> str:
    """The tensors that a block takes, in words."""
    parameters = declared_tensors(block)
    if not parameters:
        return "no tensors" if block.takes_none else "one tensor, `in`"
    least = sum(not (p.optional or p.many) for p in parameters)
    most = None if parameters[-1].many else len(parameters)
    named = " and ".join(f"`{p.name.name}{'?' * p.optional}{'...' * p.many}`" for p in parameters)
    if most is None:
        return f"{least} or more tensors, {named}"
    if least < most:
        return f"{least} {'or' if most == least + 1 else 'to'} {most} tensors, {named}"
    return f"one tensor, {named}" if most == 1 else f"{most} tensors, {named}"
