"""What torch.export would execute of a `.pt2` file, looked for before PyTorch opens it.

In: the path of an archive. Out: nothing; an `ImportFailed` that lists everything in it that is more than tensors, sizes and operators of
PyTorch. Always: nothing of the file is executed here: pickles are read as data alone, formulas of sizes are parsed as calls of functions
that are known.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from netc.compiler.frontends.imported_model import ImportFailed, Obstacle

_LARGEST = 1 << 28
"""The most bytes of a description that is read as JSON."""
_OPERATOR = re.compile(r"torch\.ops\.(aten|prims|higher_order)\.\w+(\.\w+)?|math\.[a-z]\w*|torch\._?sym_\w+|torch\.(Sym\w+|_check\w*)")
_PYTHON = re.compile(
    r"_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|xor|lshift|rshift|index)"
)
_OF_SYMPY = (
    *("Symbol", "Integer", "Rational", "Float", "Half", "Add", "Mul", "Pow", "Mod", "Max", "Min", "Abs", "floor", "ceiling"),
    *("Equality", "Unequality", "Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "true", "false"),
    *("StrictGreaterThan", "GreaterThan", "StrictLessThan", "LessThan"),
)
_OF_TORCH = (
    *("FloorDiv", "ModularIndexing", "Where", "PythonMod", "CleanDiv", "CeilToInt", "FloorToInt", "CeilDiv", "LShift", "RShift"),
    *("PowByNatural", "FloatPow", "FloatTrueDiv", "IntTrueDiv", "TruncToFloat", "TruncToInt", "RoundToInt", "RoundDecimal", "ToFloat"),
    *("Identity", "IsNonOverlappingAndDenseIndicator"),
)
_FUNCTIONS = frozenset((*_OF_SYMPY, *_OF_TORCH))
_SYMBOL = re.compile(r"[A-Za-z]\w*")
_MADE_BY_CODE = ("__enum__", "default_factory_module")
"""What arguments that are neither tensors nor containers of Python have in their description: the name of a module that is imported."""
_ARITHMETIC = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.operator, ast.unaryop, ast.cmpop, ast.Load, ast.keyword)


def check_archive(path: str) -> None:
    """Refuses a file of which something would be executed."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = tuple(_obstacles(archive))
    except (zipfile.BadZipFile, OSError, ValueError, RecursionError) as error:
        raise ImportFailed((Obstacle("the file", f"is no exported program: {error}", path),)) from None
    if found:
        raise ImportFailed(found)


def _obstacles(archive: zipfile.ZipFile) -> Iterator[Obstacle]:
    names = archive.namelist()
    if len(set(names)) < len(names):
        yield Obstacle("the file", "has several entries of one name", archive.filename or "")
    raw: set[str] = set()
    for name in names:
        if name.endswith(".json"):
            content = _json(archive, name)
            yield from _of_json(content, name)
            raw |= _unpickled(content, name)
    for name in names:
        if "aotinductor" in name or name.endswith((".so", ".pyd", ".dll", ".py", ".cpp")):
            yield Obstacle("the file", "has code that would be loaded", name)
        elif name not in raw and _may_be_pickled(archive, name):
            yield from _of_pickle(archive, name)


def _json(archive: zipfile.ZipFile, name: str) -> Any:
    if archive.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} is too large")
    return json.loads(archive.read(name))


def _unpickled(content: Any, name: str) -> set[str]:
    """The files that a description says are plain numbers."""
    config = content.get("config") if isinstance(content, dict) else None
    entries = config.values() if isinstance(config, dict) else ()
    folder = name.rpartition("/")[0]
    plain = [one for one in entries if isinstance(one, dict) and one.get("use_pickle") is False]
    return {f"{folder}/{one.get('path_name')}" for one in plain if not re.match(r"custom_obj|opaque_obj", str(one.get("path_name")))}


def _may_be_pickled(archive: zipfile.ZipFile, name: str) -> bool:
    """Whether PyTorch would unpickle the entry: what is in the folders of tensors, or begins as a pickle does."""
    with archive.open(name) as file:
        begin = file.read(2)
    inside = re.search(r"(^|/)data/(weights|constants|sample_inputs)/", name) is not None
    return not name.endswith((".json", "/")) and (inside or begin == b"PK" or begin[:1] == b"\x80")


def _of_pickle(archive: zipfile.ZipFile, name: str) -> Iterator[Obstacle]:
    import torch

    try:
        if archive.getinfo(name).file_size:
            torch.load(io.BytesIO(archive.read(name)), map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged pickle raises is not stated anywhere
        said = next((line for line in str(error).splitlines() if "Unsupported" in line or "GLOBAL" in line), "it is damaged")
        yield Obstacle("the file", f"has a pickle that holds more than tensors: {said.strip()[:200]}", name)


def _of_json(content: Any, name: str) -> Iterator[Obstacle]:
    stack = [content]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack += part.values()
            target, formula = part.get("target"), part.get("expr_str")
            if "inputs" in part and target is not None and not _is_operator(str(target)):
                yield Obstacle(f"`{str(target)[:100]}`", "is no operator of PyTorch", name)
            if formula is not None and not _is_formula(str(formula)):
                yield Obstacle(f"`{str(formula)[:100]}`", "is no formula of sizes", name)
        elif isinstance(part, list):
            stack += part
        elif isinstance(part, str) and any(word in part for word in _MADE_BY_CODE):
            yield Obstacle("the file", "has arguments of a kind that is imported from a Python module", name)


def _is_operator(target: str) -> bool:
    return bool(_OPERATOR.fullmatch(target) or _PYTHON.fullmatch(target))


def _is_formula(text: str) -> bool:
    """Whether SymPy, which evaluates it as Python, would do nothing but arithmetic."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    named = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    words = {id(one) for node in named.values() if _name(node.func) == "Symbol" for one in node.args}
    return all(_is_part(node, named, words) for node in ast.walk(tree))


def _is_part(node: ast.AST, calls: dict[int, ast.Call], words: set[int]) -> bool:
    match node:
        case ast.Name(name) if id(node) in calls:
            return name in _FUNCTIONS
        case ast.Name(name):
            return _SYMBOL.fullmatch(name) is not None
        case ast.Constant(str() as word):
            return id(node) in words and _SYMBOL.fullmatch(word) is not None
        case ast.Constant(value):
            return isinstance(value, (bool, int, float))
        case ast.Call(function):
            return isinstance(function, ast.Name)
    return isinstance(node, _ARITHMETIC)


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
