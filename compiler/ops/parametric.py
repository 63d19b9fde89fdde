"""The base of operators with parameters.

An argument may set a parameter's initial values (`init=`, and for some operators `bias_init=`, `recurrent_init=` or `out_init=`), and an
input may replace the parameter by a tensor.

In: the parameters of PyTorch's module. Out: the learned parameters, with the initializers from the arguments. Always: with a tensor for the
weight nothing is learned. Such tensors have the shapes and element types of the parameters that they replace. An initializer for a
parameter that this use does not have, such as `bias_init` with `bias=false`, is reported by `find_unused_initializers`.

    >>> import netc
    >>> (dense,) = netc.compile("input 3 -> dense 2 init=zeros").program.main.nodes
    >>> [(spec.name, spec.shape, spec.init.kind) for spec in dense.specs]
    [('weight', (2, 3), 'zeros'), ('bias', (2,), 'uniform')]
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.record import replace

from ..dims import suggest_equality
from ..errors.argument_errors import WrongTensors
from ..errors.learned_errors import BiasAlone, NoPlaceFor
from ..errors.operator_errors import DTypeMismatch, Unprovable, WrongSize
from ..errors.problem import STAGE
from ..types.tensor_types import TensorType, show_shape
from ..types.traced_ints import has_origin
from .argument import Arg, UnusedArgument
from .element_types import FLOATS
from .initializers import INIT, check_init
from .kinds import FLAG
from .operand import Input
from .operator import Operator, OperatorError, OpInputs, ParameterSpec

ARGUMENTS = {"weight": "init", "bias": "bias_init", "recurrent": "recurrent_init", "out": "out_init"}
"""The argument that initializes the parameters of each role."""
FOLLOWING = ("recurrent", "out")
"""Roles of weights that follow `init`, unless their own argument is given."""
WEIGHT, BIAS = "weight", "bias"
_INITIALIZED = {"init": WEIGHT, "bias_init": BIAS, "recurrent_init": "recurrent weight", "out_init": "last projection"}
"""The parameters that each argument initializes, in words."""


class Parametric(Operator):
    """Has parameters, with the initializer `init`. `drawn` describes PyTorch's default initializer, for the reference."""

    as_tensors: ClassVar[tuple[str, ...]] = ()
    """The parameters that may be replaced by tensors. They are the last inputs, and optional."""
    drawn: ClassVar[str] = ""
    init = Arg(INIT, default=None, last=True)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # A subclass may declare more inputs. The tensors for parameters are declared anew, so that they stay the
        # last.
        cls.operands = {name: operand for name, operand in cls.operands.items() if name not in cls.as_tensors}
        for name in cls.as_tensors:
            Input(FLOATS, optional=True).__set_name__(cls, name)

    def default_parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        """Return the learned tensors and buffers of a use without tensors for them, with PyTorch's initial values."""
        raise NotImplementedError

    def parameters(self, inputs: OpInputs) -> tuple[ParameterSpec, ...]:
        return tuple(self._apply_init(spec) for spec in self.default_parameters(inputs) if not (WEIGHT in inputs and spec.trainable))

    def find_unused_initializers(self, inputs: OpInputs) -> dict[str, UnusedArgument]:
        """Find the initializers of parameters that this use does not have."""
        used = {self._init_argument(spec) for spec in self.parameters(inputs)}
        # The flags that are off may be the reason, such as `bias=false`: the message names them.
        flags = () if WEIGHT in inputs else tuple(name for name, arg in self.signature.items() if arg.kind is FLAG and not self.args[name])
        unused = {name: words for name, words in _INITIALIZED.items() if name in self.signature and name not in used}
        return {name: UnusedArgument(f"this `{self.name}` has no {words} of its own", flags) for name, words in unused.items()}

    def has_weight_input(self, types: tuple[TensorType, ...]) -> bool:
        """Whether one of the inputs, with these types, is the weight."""
        return WEIGHT in self.as_tensors and WEIGHT in self.assign_operands(types)

    def has_bias(self, inputs: OpInputs) -> bool:
        """Whether there is a bias, learned or given as a tensor. If the weight is a tensor, the bias must be one too."""
        return BIAS in inputs if WEIGHT in inputs else bool(self.args.get(BIAS))

    def check_and_infer(self, inputs: OpInputs) -> tuple[TensorType, ...]:
        results = super().check_and_infer(inputs)
        self._check_tensors(inputs)
        if any(self.args.get(name) is not None for name in ARGUMENTS.values()):
            for spec in self.parameters(inputs):
                if spec.stated:
                    check_init(spec.init, spec.shape, spec.dtype, self._init_argument(spec))
        return results

    def _check_tensors(self, inputs: OpInputs) -> None:
        """Check the tensors that replace parameters."""
        if BIAS in inputs and WEIGHT not in inputs:
            raise OperatorError(BiasAlone(self.name), inputs.at(BIAS))
        replaced = [name for name in self.as_tensors if name in inputs]
        specs = {spec.name: spec for spec in self.default_parameters(inputs)} if replaced else {}
        if WEIGHT in inputs and WEIGHT in self.as_tensors:
            _check_no_batch(self.name, inputs, self.as_tensors, specs.get(WEIGHT))
        for name in replaced:
            if name not in specs:
                raise OperatorError(NoPlaceFor(self.name, name, self.args.get("affine", True)), inputs.at(name))
            _check_tensor(self.name, inputs, specs[name])

    def _init_argument(self, spec: ParameterSpec) -> str:
        """Return the argument that initializes a parameter, or an empty text. Weights of the roles in FOLLOWING use `init` by default."""
        argument = ARGUMENTS.get(spec.role, "")
        return "init" if spec.role in FOLLOWING and self.args.get(argument) is None else argument

    def _apply_init(self, spec: ParameterSpec) -> ParameterSpec:
        init = self.args.get(self._init_argument(spec))
        if init is None:
            return spec
        # The row of the padding index stays zero with any initializer, as in torch.nn.Embedding.
        init = replace(init, zero_row=spec.init.zero_row)
        return replace(spec, init=init, stated=init != spec.init or has_origin(init))


def _check_tensor(operator: str, inputs: OpInputs, spec: ParameterSpec) -> None:
    """Refuse a tensor that does not have the type of the parameter that it replaces."""
    tensor, position = inputs[spec.name], inputs.position(spec.name)
    if tensor.dtype != spec.dtype:
        raise OperatorError(DTypeMismatch(operator, inputs.types[0], tensor, (0, position)), inputs.at(spec.name))
    wrong = WrongSize(operator, f"a {spec.name} {show_shape(spec.shape)}", tensor)
    if tensor.rank != len(spec.shape):
        raise OperatorError(wrong, inputs.at(spec.name))
    for needed, actual in zip(spec.shape, tensor.shape, strict=True):
        equal = inputs.facts.are_equal(needed, actual)
        if equal is False:
            raise OperatorError(wrong, inputs.at(spec.name))
        if equal is None:
            need = f"a {spec.name} {show_shape(spec.shape)}"
            raise OperatorError(
                Unprovable(operator, needed, actual, need, suggest_equality(needed, actual) or "", (0, position)), inputs.at(spec.name)
            )


def _check_no_batch(operator: str, inputs: OpInputs, parameters: tuple[str, ...], weight: ParameterSpec | None) -> None:
    """Refuse a batch in place of the weight: a weight for each sample, or the tensors of a tuple to which the operator was meant to be
    applied one by one, or joined."""
    tensor, x = inputs[WEIGHT], inputs.types[0]
    if tensor.rank and x.rank and not isinstance(x.shape[0], int) and tensor.shape[0] == x.shape[0]:
        if weight is not None and tensor.shape[1:] == weight.shape:
            remedy = "one weight is for all samples; for a weight of each sample, write the product with `@` or `einsum`"
            raise OperatorError(WrongSize(operator, f"a {WEIGHT} {show_shape(weight.shape)}", tensor, remedy), inputs.at(WEIGHT))
        count = len(inputs) - len([name for name in parameters if name in inputs])
        expected = f"{'one tensor' if count == 1 else 'two tensors'}, or its {' and '.join(parameters)} too"
        raise OperatorError(WrongTensors(operator, expected, len(inputs), "join the tensors, for example by `-> concat axis=-1`"), STAGE)


class WithBias(Parametric):
    """Has biases too, with the initializer `bias_init`."""

    bias_init = Arg(INIT, default=None, last=True, only_with=(BIAS,))


class WithRecurrence(WithBias):
    """Has weights from a state to the next, with the initializer `recurrent_init`, or else `init`."""

    recurrent_init = Arg(INIT, default=None, last=True)
