"""Writes a program as a spec.

In: a program. Out: the text, formatted. Always: it compiles to a program with the same keys, shapes and results.

    >>> import netc
    >>> print(write_program(netc.compile("x = input 3; x + (x -> dense 3 as a -> relu)").program, comments=("a residual",)), end="")
    # a residual
    <BLANKLINE>
    x = input 3
    x + (x -> dense 3 relu as a)
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile

from ...dims import condition_symbols, free_symbols, make_symbol
from ...errors.target_errors import SpecUnsupported, UnsupportedByTarget
from ...ir.graph import Program
from ...ir.graph_values import Value
from ...ops import Operator
from ...types.tensor_types import BATCH, FLOAT32, TensorType
from .array_storage import StoredNames
from .block_families import BlockFamilies, BlockFamily, uses_input_inside
from .body_trees import OutputAlias
from .spec_printer import SpecPrinter
from .spec_tree import Literal, Ref, iterate_tensors
from .tensor_name_hints import CallerNames, find_hints, iterate_bare_operators
from .tensor_names import BodyNames, make_free_name, to_identifier, to_snake_case
from .written_values import ValuePrinter, print_literal


def write_program(program: Program, comments: Sequence[str] = (), stored: StoredNames | None = None) -> str:
    """Write the spec. `comments` are lines before it. `stored` says where its tables read arrays. Without it, they read the program's."""
    _check_supported(program)
    families = BlockFamilies(program.main)
    used_names = set(Operator.registry) | set(program.symbols)
    for family in families.families:
        first = family.members[0]
        family.name = make_free_name("layers" if first.kind == "sequence" else to_snake_case(first.name), used_names)
        used_names.add(family.name)
    blocks = [family.name for family in families.families]
    lines = [f"# {line}" if line else "#" for comment in comments for line in _wrap_comment(comment)]
    roles = CallerNames(program.main)
    for family in families.families:
        lines += ["", *_write_block(family, blocks, stored, roles)]
    lines += ["", *_write_main(program, families, blocks, stored)]
    text = "\n".join(lines).strip("\n") + "\n"
    formatted, problems = format_source(SourceFile(f"{program.main.name}.net", text))
    if formatted is None:
        # The formatter parses the text, so a mistake of this writer never leaves it.
        raise AssertionError(f"the text that was made does not parse: {problems[0].message}\n{text}")
    return formatted


def _wrap_comment(comment: str) -> list[str]:
    """Wrap the comment in lines of at most 120 columns with their `# `. Paths are not divided."""
    return textwrap.wrap(comment, 118, break_long_words=False, break_on_hyphens=False) or [""]


def _check_supported(program: Program) -> None:
    """Raise `UnsupportedByTarget` for programs that have no text yet."""
    main = program.main
    if any(sequence.listed for sequence in main.tuples):
        raise UnsupportedByTarget(SpecUnsupported("a list of inputs"), main.span)


def _write_block(family: BlockFamily, blocks: Sequence[str], stored: StoredNames | None, roles: CallerNames) -> list[str]:
    values = ValuePrinter((), (), stored or StoredNames())
    defaults = {name: values.print_value(Literal(value)) for name, value in family.defaults.items()}
    plain = [name for name in family.parameters if name not in defaults]
    parameters = plain + [f"{name}={text}" for name, text in defaults.items()]
    inputs = family.values[: family.body.inputs]
    hints = find_hints(family.body)
    names = BodyNames((*family.parameters, *blocks, *iterate_bare_operators(family.body)))
    if family.variadic:
        tensor_names = [names.bind_input(inputs[0], "x")]
        heads = [f"{tensor_names[0]}...", *parameters]
    # A block with a single input needs no name for it: `in` is the input, except where a group or loop has its own.
    elif len(inputs) == 1 and not uses_input_inside(family.body):
        tensor_names = ["in"]
        heads = parameters
    else:
        graphs = [next(graph for graph in family.members if value in graph.inputs) for value in inputs]
        roles_ = [roles.find_word(value, graph) for value, graph in zip(inputs, graphs, strict=True)]
        words = [hints.get(index) or (role if index else "") for index, role in enumerate(roles_)]
        tensor_names = [
            names.bind_input(value, to_identifier(to_snake_case(word) if word else "", "x"))
            for value, word in zip(inputs, words, strict=True)
        ]
        family.words = [name if word else "" for name, word in zip(tensor_names, words, strict=True)]
        patterns = [f"{name}: [...]" for name in tensor_names]
        if family.optional:
            patterns[-1] = f"{tensor_names[-1]}?: [...]"
        heads = patterns + parameters if inputs else ["in: none", *parameters]
    family.inputs = tensor_names[: len(inputs)]
    written = set(iterate_tensors(family.body))
    local = family.values[len(inputs) :]
    makers = [family.find_maker(value) for value in local]
    tensor_names += [
        names.bind_tensor(value, graph, hints.get(index) or roles.find_word(value, graph)) if index in written else ""
        for index, (value, graph) in enumerate(zip(local, makers, strict=True), len(inputs))
    ]
    family.results = [tensor_names[result.number] if isinstance(result, Ref) else "" for result in family.body.results]
    printer = SpecPrinter(tensor_names, family.parameters, stored=stored, blocks=blocks)
    head = f"({', '.join(heads)})" if heads else ""
    return [f"block {family.name}{head} {{", *printer.print_body(family.body), "}"]


def _write_main(program: Program, families: BlockFamilies, blocks: Sequence[str], stored: StoredNames | None) -> list[str]:
    main = program.main
    names = BodyNames((*blocks, *iterate_bare_operators(families.body)))
    # The first name of a tensor that several outputs are. The others have an alias each.
    outputs = {id(value): name for value, name in reversed(list(zip(main.outputs, main.output_names, strict=True)))}
    outputs |= {id(value): value.name for value in families.main.values if isinstance(value, OutputAlias)}
    wanted = [outputs.get(id(value)) if value not in main.inputs else None for value in families.main.values]
    exact = [names.bind_exact(name) if name else None for name in wanted]
    hints = find_hints(families.body)
    written = set(iterate_tensors(families.body))
    pairs = enumerate(zip(exact, families.main.values, strict=True))
    tensor_names = [
        name or (names.bind_tensor(value, main, hints.get(index, "")) if index in written else "") for index, (name, value) in pairs
    ]
    declared = [_write_input(value.type) for value in main.inputs]
    used: set[str] = set().union(*map(_collect_symbols, main.inputs))
    conditions = [str(condition) for condition, _ in program.conditions if condition_symbols(condition) <= used]
    if conditions and declared:
        declared[-1] += " where " + ", ".join(conditions)
    return SpecPrinter(tensor_names, (), declared, stored, blocks).print_body(families.body)


def _collect_symbols(value: Value) -> set[str]:
    """Collect the symbols in a declaration."""
    return {name for size in value.type.shape for name in free_symbols(size)}


def _write_input(type_: TensorType) -> str:
    """Write an input's declaration."""
    batch = type_.is_batch and type_.shape[0] == _get_batch_symbol(type_)
    sizes = [print_literal(size) for size in (type_.shape[1:] if batch else type_.shape)]
    plain = len(sizes) > 1 and all(re.fullmatch(r"\d+|[A-Z]\w*", size) for size in sizes) and sizes[0].isdecimal()
    shape = "x".join(sizes) if plain else sizes[0] if len(sizes) == 1 and sizes[0].isdecimal() else f"[{', '.join(sizes)}]"
    words = ["input", shape, *([str(type_.dtype)] if type_.dtype != FLOAT32 else []), *([] if batch else ["batch=false"])]
    return " ".join(words)


def _get_batch_symbol(type_: TensorType) -> object:
    return make_symbol(BATCH) if BATCH in free_symbols(type_.shape[0]) else None
