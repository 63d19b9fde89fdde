"""The names that operators have in the libraries that people come from, to suggest the operator for such a name.

In: a name that no operator has. Out: the operator that it means. Always: the names are those that the PyTorch backend prints for
its operators, and PyTorch's other names for the same functions, or for special cases of them.
"""

from __future__ import annotations

from functools import cache

from netc.compiler.elaborate.names.name_errors import plain

OTHERS = {
    "bmm": "matmul",
    "broadcast_to": "expand",
    "clip": "clamp",
    "concatenate": "concat",
    "dot": "matmul",
    "hstack": "concat",
    "mm": "matmul",
    "movedim": "permute",
    "mv": "matmul",
    "narrow": "slice",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "unbind": "select",
    "view": "reshape",
    "vstack": "concat",
}
"""Names that no target of an operator has, and the operator."""


def operator_called(name: str) -> str:
    """The operator that is called so elsewhere; empty if there is none."""
    return OTHERS.get(name) or _operators().get(plain(name), "")


@cache
def _operators() -> dict[str, str]:
    """The operator for each qualified name, in lower case: `linear` is `dense`, from `torch.nn.Linear`. A module goes before
    a function, of which other operators may be made."""
    from netc.compiler.backends.registry import get_or_raise
    from netc.compiler.ops import Operator

    functions: dict[str, str] = {}
    modules: dict[str, str] = {}
    pytorch = get_or_raise("torch")  # the library that most people know the names of
    for operator in Operator.registry.values():
        for path in (pytorch.operator_target(operator) or "").split(","):
            words = path.strip().split(".")
            if len(words) > 1 and all(word.isidentifier() for word in words):
                (modules if words[-1][0].isupper() else functions)[plain(words[-1])] = operator.name
    return {**functions, **modules}
