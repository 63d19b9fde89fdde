"""Check the results of a plugin's own methods, so that a mistake in it is not taken for a mistake of netc.

In: the class of an operator that a plugin declares. Out: the same class, whose rules raise `PluginMistake` for results of other types than
the rules must have. Always: netc's own operators are left as they are; a type checker sees those.

    A plugin's `infer_types` that returns `inputs.x` instead of `(inputs.x,)`:
    the operator `wave` of a plugin: `infer_types` must return a tuple of types, not a TensorType
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from functools import wraps
from typing import Any

from ..dims import SymDim
from ..errors.plugin_errors import PluginMistake
from ..types.tensor_types import TensorType
from .argument import Required
from .initializers import INITIALIZERS
from .learned_tensors import Init, ParameterSpec


def check_plugin_class(operator: Any) -> None:
    """Check the declarations of a plugin's class, and let its methods check their results. Raises `PluginMistake`."""
    name = operator.name or operator.__name__
    if not isinstance(operator.definition, str):
        raise _make_mistake(name, f"`definition` must be a text, not {_describe(operator.definition)}")
    for argument in operator.signature.values():
        if not isinstance(argument.default, Hashable):
            raise _make_mistake(name, f"the default of `{argument.name}` must be a tuple or one value, not {_describe(argument.default)}")
        if operator.is_activation and isinstance(argument.default, Required):
            raise _make_mistake(name, f"`{argument.name}` needs a default, because an activation is written without arguments")
    for method, (check, wanted) in _RULES.items():
        if method in vars(operator):
            setattr(operator, method, _check_results(vars(operator)[method], check, f"`{method}` must return {wanted}"))


def _check_results(method: Callable[..., Any], check: Callable[[Any], bool], requirement: str) -> Callable[..., Any]:
    @wraps(method)
    def checked(self: Any, *args: Any) -> Any:
        result = method(self, *args)
        if not check(result):
            raise _make_mistake(self.name, f"{requirement}, not {_describe(result)}")
        return result

    return checked


def _make_mistake(operator: str, sentence: str) -> PluginMistake:
    return PluginMistake(f"the operator `{operator}` of a plugin: {sentence}")


def _describe(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_describe, value))}{',' * (len(value) == 1)})"
    return str(value) if value is None or isinstance(value, (int, float)) else f"a {type(value).__name__}"


def _is_size(value: object) -> bool:
    return isinstance(value, (int, SymDim)) and not isinstance(value, bool)


def _is_shape(value: object) -> bool:
    return isinstance(value, tuple) and all(map(_is_size, value))


def _are_types(result: object) -> bool:
    return isinstance(result, tuple) and bool(result) and all(isinstance(t, TensorType) and _is_shape(t.shape) for t in result)


def _are_specs(result: object) -> bool:
    return isinstance(result, tuple) and all(isinstance(spec, ParameterSpec) and _is_complete(spec) for spec in result)


def _is_complete(spec: ParameterSpec) -> bool:
    return isinstance(spec.name, str) and _is_shape(spec.shape) and isinstance(spec.init, Init) and _is_initializer(spec.init)


def _is_initializer(init: Init) -> bool:
    return init.kind in INITIALIZERS and len(init.values) == len(INITIALIZERS[init.kind].arguments)


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "infer_types": (_are_types, "a tuple of types, each with a tuple of sizes as its shape"),
    "parameters": (_are_specs, "a tuple of `ParameterSpec`s, each with a tuple of sizes and an initializer with its arguments"),
    "write_definition": (lambda result: isinstance(result, str), "a text"),
    "count_flops": (_is_size, "a number"),
    "count_multiply_adds": (_is_size, "a number"),
}
"""For each rule that a plugin may declare, the check of its result, and the result that it must return."""
