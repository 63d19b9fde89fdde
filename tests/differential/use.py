"""One use of one operator, as data: the types of its inputs, and the arguments as a person would write them.

In: types with integers for sizes, and raw compile-time values. Out: a one-line spec, or the operator itself. Always: two uses that
are equal have the same text; `dims` says which sizes are written as symbolic dimensions, and nothing else depends on it.
"""

from __future__ import annotations

from typing import Any

from netc.compiler.ops import Operator
from netc.compiler.ops.kinds import DIM, SIZE, InvalidArgument, Kind, ListKind, StringKind
from netc.compiler.types.tensor_types import TensorType
from netc.dsl.record import Record

BATCH = "N"


class Use(Record):
    """`args` are (name, value) of those that are written; a word or an element type is a str. `dims`: a size, and the name of the
    symbolic dimension that stands for it; under the name `N` only axis 0 does."""

    operator: str
    inputs: tuple[TensorType, ...]
    args: tuple[tuple[str, Any], ...] = ()
    dims: tuple[tuple[int, str], ...] = ()
    label: str = ""
    """Of a group around the stage, which makes it a member of an `nn.Sequential`."""
    main: bool = False
    """Whether only the first of several results is taken."""

    @property
    def cls(self) -> type[Operator]:
        return Operator.registry[self.operator]

    def build(self) -> Operator:
        """The operator, with arguments that its kinds refuse as they are."""
        made = {}
        for name, value in self.args:
            arg = self.cls.signature.get(name)
            if arg is not None:
                made[name] = _converted(arg.kind, value)
        if self.cls.open_keywords is not None:
            made["sizes"] = tuple(pair for pair in self.args if pair[0] not in self.cls.signature)
        return self.cls(**made)

    def kinds_refuse(self) -> bool:
        """Whether the kind of one of its arguments refuses the value: netc asks no more of such an operator."""
        return any(not _is_taken(self.cls.signature[name].kind, value) for name, value in self.args if name in self.cls.signature)

    def stage(self) -> str:
        """The stage: `conv 4 [3, 3] padding=1`."""
        slots = [name for name, arg in self.cls.signature.items() if arg.positional]
        given, words = dict(self.args), [self.operator]
        for name in slots:
            if name not in given:
                break
            words.append(_closed(self._shown(name, given.pop(name))))
        words += [f"{name}={self._shown(name, value)}" for name, value in given.items()]
        return " ".join(words)

    def text(self, results: int = 1) -> str:
        """The whole spec. `results` of its results are unpacked, and are its outputs."""
        statements = [f"x{i} = {self._input(i)}" for i in range(len(self.inputs))]
        names = ", ".join(f"x{i}" for i in range(len(self.inputs)))
        source = f"({names})" if len(self.inputs) > 1 else names
        stage = f"({self.stage()}) as {self.label}" if self.label else self.stage()
        if results == 1:
            return "; ".join([*statements, f"{source} -> {stage}"])
        outputs = ", ".join(f"y{i}" for i in range(results))
        return "; ".join([*statements, f"({outputs}) = {source} -> {stage}", f"out {outputs}"])

    def _input(self, index: int) -> str:
        type_ = self.inputs[index]
        dtype = "" if type_.dtype.name == "float32" else f" {type_.dtype.name}"
        sizes = [self._size(size, axis) for axis, size in enumerate(type_.shape)]
        if sizes[:1] == [BATCH]:
            return f"input [{', '.join(sizes[1:])}]{dtype}"
        return f"input [{', '.join(sizes)}]{dtype} batch=false"

    def _size(self, size: object, axis: int | None) -> str:
        for known, name in self.dims:
            if size == known and not isinstance(size, bool) and (name != BATCH or axis == 0):
                return name
        return str(size)

    def _shown(self, name: str, value: Any) -> str:
        kind = self.cls.signature[name].kind if name in self.cls.signature else SIZE
        if isinstance(value, tuple):
            of_sizes = isinstance(kind, ListKind) and kind.item is DIM
            return "[" + ", ".join(self._size(v, i) if of_sizes else _number(v) for i, v in enumerate(value)) + "]"
        if isinstance(kind, StringKind):
            return f'"{value}"'
        return _number(value)


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and not value.isidentifier():
        return f'"{value}"'
    return str(value)


def _closed(text: str) -> str:
    return f"({text})" if text.startswith("-") else text


def _is_taken(kind: Kind[Any], value: Any) -> bool:
    try:
        kind.convert_value(value)
    except InvalidArgument:
        return False
    return True


def _converted(kind: Kind[Any], value: Any) -> Any:
    try:
        return kind.convert_value(value)
    except InvalidArgument:
        return (value,) if isinstance(kind, ListKind) and kind.scalar and not isinstance(value, tuple) else value
