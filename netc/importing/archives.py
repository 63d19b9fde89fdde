"""Finds code in a `.pt2` file that PyTorch would execute, before PyTorch opens the file.

In: the path of an archive. Out: nothing, or an `ImportFailed` that lists everything in it that is more than tensors, sizes and operators of
PyTorch. Always: nothing of the file is executed here. Pickles are read as data alone, and formulas of sizes are parsed as calls of known
functions.

    >>> bool(_OPERATOR.fullmatch("torch.ops.aten.relu.default")), bool(_OPERATOR.fullmatch("os.system"))
    (True, False)
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
"""The largest number of bytes of a description that is read as JSON."""
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
_NAMES = ("name", "as_name")
"""The words for names that become names of variables in the code that torch.fx writes and executes."""
_PATHS = ("parameter_name", "buffer_name", "tensor_constant_name", "custom_obj_name")
"""The words for names that torch.fx writes as strings in that code."""
_MADE_BY_CODE = ("__enum__", "default_factory_module")
"""Words in the description of arguments that are neither tensors nor Python containers. Such arguments name a module to import."""
_ARITHMETIC = (ast.Expression, ast.BinOp, ast.UnaryOp, ast.Compare, ast.operator, ast.unaryop, ast.cmpop, ast.Load, ast.keyword)


def check_archive(path: str) -> None:
    """Refuse a file with code that PyTorch would execute."""
    try:
        with zipfile.ZipFile(path) as archive:
            obstacles = tuple(_find_obstacles(archive))
    except (zipfile.BadZipFile, OSError, ValueError, RecursionError) as error:
        raise ImportFailed((Obstacle("the file", f"is no exported program: {error}", path),)) from None
    if obstacles:
        raise ImportFailed(obstacles)


def _find_obstacles(archive: zipfile.ZipFile) -> Iterator[Obstacle]:
    names = archive.namelist()
    # Readers differ in which of two entries of one name they take, so the one that was checked may not be the one that is loaded.
    if len(set(names)) < len(names):
        yield Obstacle("the file", "has several entries of one name", archive.filename or "")
    raw: set[str] = set()
    for name in names:
        if name.endswith(".json"):
            content = _read_json(archive, name)
            yield from _check_json(content, name)
            raw |= _list_raw_files(content, name)
    for name in names:
        # Compiled code would be loaded with the archive.
        if "aotinductor" in name or name.endswith((".so", ".pyd", ".dll", ".py", ".cpp")):
            yield Obstacle("the file", "has code that would be loaded", name)
        elif name not in raw and _may_be_pickled(archive, name):
            yield from _check_pickle(archive, name)


def _read_json(archive: zipfile.ZipFile, name: str) -> Any:
    if archive.getinfo(name).file_size > _LARGEST:
        raise ValueError(f"{name} is too large")
    return json.loads(archive.read(name))


def _list_raw_files(content: Any, name: str) -> set[str]:
    """Return the files that a description declares as plain numbers, which PyTorch does not unpickle."""
    config = content.get("config") if isinstance(content, dict) else None
    entries = config.values() if isinstance(config, dict) else ()
    folder = name.rpartition("/")[0]
    plain = [entry for entry in entries if isinstance(entry, dict) and entry.get("use_pickle") is False]
    return {f"{folder}/{entry.get('path_name')}" for entry in plain if not re.match(r"custom_obj|opaque_obj", str(entry.get("path_name")))}


def _may_be_pickled(archive: zipfile.ZipFile, name: str) -> bool:
    """Return whether PyTorch would unpickle an entry: it is in a folder of tensors, or begins as a pickle or a zip file."""
    with archive.open(name) as file:
        begin = file.read(2)
    inside = re.search(r"(^|/)data/(weights|constants|sample_inputs)/", name) is not None
    return not name.endswith((".json", "/")) and (inside or begin == b"PK" or begin[:1] == b"\x80")


def _check_pickle(archive: zipfile.ZipFile, name: str) -> Iterator[Obstacle]:
    import torch

    try:
        # An entry without bytes is no pickle.
        if archive.getinfo(name).file_size:
            torch.load(io.BytesIO(archive.read(name)), map_location="cpu", weights_only=True)
    except Exception as error:  # what a damaged pickle raises is not stated anywhere
        reason = next((line for line in str(error).splitlines() if "Unsupported" in line or "GLOBAL" in line), "it is damaged")
        yield Obstacle("the file", f"has a pickle that holds more than tensors: {reason.strip()[:200]}", name)


def _check_json(content: Any, name: str) -> Iterator[Obstacle]:
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
            for unsafe in _find_unsafe_names(part):
                yield Obstacle(f"`{unsafe[:100]}`", "is no name of a tensor", name)
        elif isinstance(part, list):
            stack += part
        elif isinstance(part, str) and any(word in part for word in _MADE_BY_CODE):
            yield Obstacle("the file", "has arguments of a kind that is imported from a Python module", name)


def _find_unsafe_names(part: dict[str, Any]) -> Iterator[str]:
    """Find names in a description that would be code where torch.fx writes them."""
    signature = part.get("forward_arg_names")
    names = [part.get(word) for word in _NAMES] + (signature if isinstance(signature, list) else [])
    yield from (name for name in names if isinstance(name, str) and name and not name.isidentifier())
    paths = [part.get(word) for word in _PATHS]
    yield from (path for path in paths if isinstance(path, str) and (not path.isprintable() or set(path) & set("\"'\\")))
    yield from _find_unsafe_keywords(part.get("in_spec"))


def _find_unsafe_keywords(spec: Any) -> Iterator[str]:
    """Find names of keyword arguments that are no names. The description of the arguments is JSON in a string."""
    if not isinstance(spec, str) or not spec:
        return
    try:
        _, tree = json.loads(spec)
        keywords = [key for group in tree["children_spec"][1:2] for key in json.loads(group["context"])]
    except (ValueError, LookupError, TypeError):
        yield spec
        return
    yield from (str(key) for key in keywords if not str(key).isidentifier())


def _is_operator(target: str) -> bool:
    return bool(_OPERATOR.fullmatch(target) or _PYTHON.fullmatch(target))


def _is_formula(text: str) -> bool:
    """Return whether a formula is arithmetic alone. SymPy evaluates it as Python."""
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    named = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    # A string is allowed only as the name of a Symbol. Elsewhere SymPy may evaluate it as code.
    words = {id(argument) for node in named.values() if _get_name(node.func) == "Symbol" for argument in node.args}
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


def _get_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
