"""A block and its body written in its place; a loop and its copies.

In: a text. Out: the text with one use of a block or one loop written out, or with some stages moved into a block.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

from netc.dsl import ast
from tests.forms.text import Edit, Form, ParsedText, Place, Same, bound_names, inserting, labels_in, replacing

MOST_COPIES = 5
WITHIN = frozenset(("label-twice", "label-within", "no-tie", "unknown-tie"))
"""Labels of a body that is written elsewhere may be there already."""
SEVERAL = frozenset(("wrong-number-of-tensors", "wrong-unpacking"))
"""A block takes one tensor unless it says otherwise, and gives the main result of an operator alone."""


# --- a block in place --------------------------------------------------------------------------------------------------------


def inlined(source: ParsedText, random: Random) -> Form | None:
    """`-> b 4` is `-> (if true { let width = 4; BODY }) as label`, and `-> b 4 as _` the same without a label."""
    uses = [place for place in source.all_of(ast.Apply) if _inlines(source, place)]
    if not uses:
        return None
    place = random.choice(uses)
    block = _block(source, place.node.name)
    opened = _opened(source, place.node, block)
    if opened is None:
        return None
    label = place.node.label
    name = source.of(label.span) if label is not None else source.fresh(random, "inlined")
    text = opened if name == "_" else f"({opened}) as {name}"
    same = Same.KEYS if name == "_" else Same.ORDER
    edited = source.edited([replacing(place.node.span, text)])
    return Form(f"`{block.name.name}` written in place", edited, same, refusals=WITHIN)


def _block(source: ParsedText, name: str) -> Any:
    found = [block for block in source.items(ast.Block) if block.name.name == name]
    return found[0] if len(found) == 1 else None


def _inlines(source: ParsedText, place: Place) -> bool:
    """Whether the stage uses a block whose names mean the same here."""
    block = _block(source, place.node.name)
    if block is None or block.takes_none or place.node.called or place.node.activation is not None or not block.body.statements:
        return False
    if not isinstance(place.parent, ast.Pipeline) or (place.node is place.parent.head and "in" not in source.of(block.span)):
        return False
    if place.nearest(ast.Shared) or place.node.name in labels_in(source.text) or place.nearest(ast.Block) is block:
        return False
    around = place.nearest(ast.Block, ast.ModelDecl, ast.TrainDecl) or source.file
    bound = bound_names(around) if around is not source.file else _file_names(source)
    words = set(re.findall(r"\w+", source.of(block.body.span))) - bound_names(block)
    return not bound & words


def _file_names(source: ParsedText) -> set[str]:
    """What the statements of the file bind, but for what its blocks see too."""
    found: set[str] = set()
    for item in source.file.items:
        if isinstance(item, ast.Statement) and not isinstance(item, ast.Let):
            found |= bound_names(item)
    return found


def _opened(source: ParsedText, use: ast.Apply, block: ast.Block) -> str | None:
    """`if true { let t = ARGUMENT; (a, b) = in; a -> if true { let width = t; BODY } }`: the arguments belong to the scope around."""
    parameters = [one for one in block.parameters if isinstance(one, ast.ParameterDecl)]
    tensors = [one for one in block.parameters if isinstance(one, ast.TensorParameter)]
    if any(one.optional or one.many for one in tensors) or len(use.positional) > len(parameters):
        return None
    given = {one.name.name: source.of(value.span) for one, value in zip(parameters, use.positional, strict=False)}
    given |= {keyword.name: source.of(keyword.value.span) for keyword in use.keywords}
    if given.keys() - {one.name.name for one in parameters} or "in" in re.findall(r"\w+", " ".join(given.values())):
        return None  # tensors by name, `trainable`, and what the input of the stage around is
    outer = [f"let outer_{name} = {value}" for name, value in given.items()]
    inner = []
    for one in parameters:
        if one.name.name in given:
            inner.append(f"let {one.name.name} = outer_{one.name.name}")
        elif one.default is not None:
            inner.append(f"let {one.name.name} = {source.of(one.default.span)}")
        else:
            return None
    sizes = _sizes(tensors)
    if sizes is None:
        return None
    body = source.text[block.body.statements[0].span.start : block.body.span.end].rstrip().removesuffix("}").rstrip()
    inside = "\n".join([*sizes, *inner, body])
    if not tensors:
        return "if true {\n" + "\n".join([*outer, f"in -> if true {{\n{inside}\n}}"]) + "\n}"
    names = ", ".join(one.name.name for one in tensors)
    unpacked = f"({names}) = in" if len(tensors) > 1 else f"{names} = in"
    return "if true {\n" + "\n".join([*outer, unpacked, f"{tensors[0].name.name} -> if true {{\n{inside}\n}}"]) + "\n}"


def _sizes(tensors: list[ast.TensorParameter]) -> list[str] | None:
    """The dimensions that patterns bind, as `let`s; None for patterns with `...`."""
    known: dict[str, str] = {}
    for one in tensors:
        for axis, item in enumerate(one.pattern):
            if not isinstance(item, ast.Name):
                continue
            if item.name == "...":
                return None
            if item.name.isupper() and item.name != "N":
                known.setdefault(item.name, f"{one.name.name}.shape[{axis}]")
    return [f"let {name} = {value}" for name, value in known.items()]


# --- stages in a block -------------------------------------------------------------------------------------------------------


def extracted(source: ParsedText, random: Random) -> Form | None:
    """`x -> a -> b -> c` is `block moved { a -> b }` and `x -> moved as _ -> c`; compile-time names become parameters."""
    found = _run(source, random)
    if found is None:
        return None
    place, begin, end, text = found
    around = place.nearest(ast.Block, ast.ModelDecl) or source.file
    values = _values(around, source)
    used = set(re.findall(r"[A-Za-z_]\w*", text)) - bound_names(_of_text(text))
    if used & (_tensors(around, source) | _patterns(around)):
        return None
    passed = sorted(used & values)
    name = source.fresh(random, "moved")
    parameters = f"({', '.join(passed)})" if passed else ""
    arguments = "".join(f" {one}={one}" for one in passed)
    head = "in"
    if begin == place.node.stages[0].span.start and isinstance(place.node.head, ast.Group) and len(place.node.head.members) > 1:
        head, parameters = "all", f"(all...{''.join(f', {one}' for one in passed)})"
    block = f"block {name}{parameters} {{ {head} -> {text} }}\n"
    edits = [inserting(source.file.items[0].span.start, block), Edit(begin, end, f"{name}{arguments} as _")]
    return Form(f"`{text}` in a block", source.edited(edits), Same.KEYS, refusals=SEVERAL)


def _of_text(text: str) -> Any:
    return ParsedText(f"in -> {text}").file


def _run(source: ParsedText, random: Random) -> tuple[Place, int, int, str] | None:
    """Some stages of a pipeline that mean the same anywhere: no `in` of the body around, no labels that others mention."""
    places = [p for p in source.all_of(ast.Pipeline) if p.node.stages and not p.nearest(ast.Setting, ast.TrainDecl, ast.Shared)]
    random.shuffle(places)
    for place in places:
        stages = place.node.stages
        first = random.randrange(len(stages))
        last = random.randrange(first, min(len(stages), first + 3))
        begin, end = stages[first].span.start, stages[last].span.end
        text = source.text[begin:end]
        if len(stages) == 1 and place.nearest(ast.Repeat, ast.Each):
            continue  # an iteration that is one stage is that stage, and one with a block inlined into it is a sequence
        if _is_movable(source, text, begin, end) and not _uses_in(stages[first : last + 1]):
            return place, begin, end, text
    return None


def _is_movable(source: ParsedText, text: str, begin: int, end: int) -> bool:
    if "#" in text or re.search(r"\b(tie|norms_of|default|training)\b", text):
        return False
    rest = source.text[:begin] + " " + source.text[end:]
    return not labels_in(text) - {"_"} & set(re.findall(r"[A-Za-z_]\w*", rest))


def _uses_in(stages: tuple[Any, ...]) -> bool:
    """Whether the stages mention the `in` of the body around them."""
    own = (ast.Body, ast.Group)
    for stage in stages:
        for place in _walk(stage):
            node = place.node
            named = isinstance(node, ast.Name | ast.Apply) and node.name == "in"
            if named and not any(isinstance(above, own) for above in place.above):
                return True
    return False


def _walk(node: Any) -> list[Place]:
    from tests.forms.text import _places

    return list(_places(node, ()))


def _values(around: Any, source: ParsedText) -> set[str]:
    """Compile-time names of a definition that a block does not see."""
    if around is source.file:
        nodes = [item for item in source.file.items if isinstance(item, ast.Statement) and not isinstance(item, ast.Let)]
    else:
        nodes = [around]
    places = [place for node in nodes for place in _walk(node)]
    found = {p.node.name.name for p in places if isinstance(p.node, ast.Let | ast.ParameterDecl)}
    return found | {name.name for p in places if isinstance(p.node, ast.NamePattern) for name in p.node.names}


def _tensors(around: Any, source: ParsedText) -> set[str]:
    """Names of tensors and shared stages, which no argument passes."""
    nodes = source.items(ast.Statement) if around is source.file else [around]
    places = [place for node in nodes for place in _walk(node)]
    found = {target.name for p in places if isinstance(p.node, ast.Assign) for target in p.node.targets}
    found |= {p.node.name.name for p in places if isinstance(p.node, ast.Shared | ast.ScanState | ast.TensorParameter)}
    return found | {word for p in places if isinstance(p.node, ast.Label) for word in labels_in(f"as {source.of(p.node.span)}")}


def _patterns(around: Any) -> set[str]:
    """Dimensions that patterns of a block bind."""
    tensors = [one for one in getattr(around, "parameters", ()) if isinstance(one, ast.TensorParameter)]
    return {item.name for one in tensors for item in one.pattern if isinstance(item, ast.Name)} - {"N", "_", "..."}


# --- loops -------------------------------------------------------------------------------------------------------------------


def unrolled(source: ParsedText, random: Random) -> Form | None:
    """`repeat i in LIST as l { BODY }` is `(if true { let i = LIST[0]; BODY }) as l.0 -> (if true { ... }) as l.1`."""
    loops = [(place, _count(source, place)) for place in source.all_of(ast.Repeat) if _unrolls(source, place)]
    loops = [(place, count) for place, count in loops if count is not None and 0 < count <= MOST_COPIES]
    if not loops:
        return None
    place, count = random.choice(loops)
    assert count is not None
    loop = place.node
    label = source.of(loop.label.span) if loop.label is not None else source.fresh(random, "unrolled")
    copies = [_copy(source, loop, at) for at in range(count)]
    text = " -> ".join(copies if label == "_" else [f"({copy}) as {label}.{at}" for at, copy in enumerate(copies)])
    same = Same.ORDER if loop.label is None or label == "_" else Same.KEYS
    return Form(f"`repeat` written {count} times", source.edited([replacing(loop.span, text)]), same, refusals=WITHIN)


def _unrolls(source: ParsedText, place: Place) -> bool:
    loop = place.node
    if loop.collected is not None or not isinstance(place.parent, ast.Pipeline) or place.node is place.parent.head:
        return False
    label = "" if loop.label is None else source.of(loop.label.span)
    over = set(re.findall(r"\w+", source.of(loop.over.span)))
    return "{" not in label and not over & ({name.name for name in loop.binders.names} | {"in"})


def _copy(source: ParsedText, loop: ast.Repeat, at: int) -> str:
    body = source.text[loop.body.statements[0].span.start : loop.body.span.end].rstrip().removesuffix("}").rstrip()
    if not loop.binders.names:
        return f"if true {{\n{body}\n}}"
    names = source.of(loop.binders.span)
    return f"if true {{\nlet {names} = [item_ for item_ in {source.of(loop.over.span)}][{at}]\n{body}\n}}"


def _count(source: ParsedText, place: Place) -> int | None:
    return _length(source, place.node.over, place)


def _length(source: ParsedText, over: Any, place: Place) -> int | None:
    """The number of iterations over a value whose length the text shows."""
    match over:
        case ast.NumberLiteral(value=int(value)):
            return value
        case ast.ListExpr(items=items):
            return len(items)
        case ast.Range(start=ast.NumberLiteral(value=int(start)), stop=ast.NumberLiteral(value=int(stop))):
            return max(0, stop - start)
        case ast.Call(function=ast.Name(name="enumerate"), arguments=(inner,)):
            return _length(source, inner, place)
        case ast.Name(name=name):
            lets = [item.value for item in source.items(ast.Let) if item.name.name == name]
            local = bound_names(place.nearest(ast.Block, ast.ModelDecl)) if place.nearest(ast.Block, ast.ModelDecl) else set()
            return _length(source, lets[0], place) if len(lets) == 1 and name not in local else None
        case _:
            return None


def counted_otherwise(source: ParsedText, random: Random) -> Form | None:
    """`repeat 3` is `repeat _ in 0..3`, and `repeat [0, 0, 0]`'s length."""
    loops = [
        place.node for place in source.all_of(ast.Repeat) if isinstance(place.node.over, ast.NumberLiteral) and not place.node.binders.names
    ]
    if not loops:
        return None
    loop = random.choice(loops)
    count = source.of(loop.over.span)
    counted = (f"_ in 0..{count}", f"_ in [0] * {count}", f"_ in range({count})", f"(_, _) in enumerate([0] * {count})")
    text = random.choice((*counted, f"len([1] * {count})"))
    return Form(f"`repeat {text}`", source.edited([replacing(loop.over.span, text)]))


RELATIONS = (inlined, extracted, unrolled, counted_otherwise)
