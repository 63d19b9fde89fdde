"""Where netc is meant to refuse what PyTorch takes, and why.

In: a use, netc's error codes, and the types that PyTorch makes of it. Out: the reason, or nothing. Always: an entry holds for those uses
only that its condition describes, so that any other refusal with the same code is a disagreement; test_strictness.py finds for each entry
a use that needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from netc.compiler.ops import Operator
from netc.compiler.ops.loss import Loss
from netc.compiler.ops.parametric import Parametric
from netc.dsl.record import Record
from tests.differential.known_conditions import (
    argument,
    beyond_64_bits,
    bias_without_tensor,
    cubic_in_three_axes,
    each,
    ends_before,
    fused_unevenly,
    lengths_in_other_axes,
    masked,
    more_samples,
    negative_eps,
    not_float,
    not_spatial,
    of_several_types,
    one_for_several,
    outside,
    pads_by_itself,
    pools_nothing,
    sees_nothing,
    slides,
    unaligned,
    undilated,
    weight_of_another_type,
    wraps_twice,
)
from tests.differential.use import Use

Types = tuple[tuple[str, tuple[int, ...]], ...]


class Deliberate(Record):
    """A refusal on purpose, with this code, of those uses for which `when` holds; without operators, of any. `since`: the first version of
    PyTorch that takes them, where netc allows older ones that do not."""

    operators: tuple[str, ...]
    code: str
    when: Callable[[Use], bool]
    why: str
    since: str = ""


NO_ELEMENTS = "a result without elements is an error"
EMPTY = frozenset(("empty-result", "wrong-argument"))
"""How it is said: of the result, or of a size of 0 among the arguments."""


def reason(use: Use, codes: tuple[str, ...], types: Types) -> str:
    """Why netc may refuse it with these codes, all of them; empty if it may not."""
    empty = any(not prod(shape) for _, shape in types)
    found = [next((entry.why for entry in TABLE if covers(entry, use, code)), NO_ELEMENTS * (empty and code in EMPTY)) for code in codes]
    return "; ".join(found) if all(found) else ""


def covers(entry: Deliberate, use: Use, code: str) -> bool:
    return code == entry.code and (not entry.operators or use.operator in entry.operators) and entry.when(use)


BINARY = tuple(name for name, cls in Operator.registry.items() if "reverse" in cls.signature)
_LOSSES = tuple(name for name, cls in Operator.registry.items() if issubclass(cls, Loss))
_ALIKE = tuple(name for name in _LOSSES if Operator.registry[name].alike)
_OF_LABELS = ("cross_entropy", "nll_loss")
_OF_ONE_TYPE = ("ctc_loss", "linear_cross_entropy", "multi_margin_loss", "multilabel_margin_loss", "nll_loss")
_PROMOTING = tuple(name for name in _LOSSES if name not in _OF_ONE_TYPE)
_STRICT = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "multilabel_margin_loss")
_REAL = (*_STRICT, "huber_loss", "kl_div", "multilabel_soft_margin_loss", "soft_margin_loss")
_OF_INTEGERS = (*(name for name in _ALIKE if name not in _REAL), "cosine_embedding_loss")
_NORMS = ("group_norm", "instance_norm", "layer_norm", "rms_norm")

TABLE = (
    Deliberate((), "too-large", beyond_64_bits, "PyTorch converts an integer that no tensor can hold to a float: write `1e19`"),
    Deliberate(
        ("clamp",),
        "scalar-does-not-fit",
        outside,
        "before 2.15 PyTorch refuses a bound outside the type, or counts a negative one from the end of an unsigned type",
    ),
    Deliberate(("hardtanh",), "bad-argument", outside, "before 2.15 PyTorch refuses a negative limit of an unsigned type", since="2.15"),
    Deliberate(("grid_sample",), "bad-argument", cubic_in_three_axes, "neither ONNX nor PyTorch before 2.15 has it", since="2.15"),
    Deliberate(
        ("dropout", "alpha_dropout", "channel_dropout", "drop_path"),
        "needs-float",
        lambda use: not_float(use) and argument(use, "p") in (0, 1),
        "in training PyTorch refuses it but for a probability of 0 or 1, when nothing is scaled",
    ),
    Deliberate(
        ("avg_pool", "conv", "conv_transpose", "lp_pool", "max_pool"),
        "bad-argument",
        one_for_several,
        "PyTorch's kernels take a list of one for all axes, its documentation does not; a number says the same",
    ),
    Deliberate(
        ("conv",),
        "bad-argument",
        pads_by_itself,
        "PyTorch's module pads by another function then, and does not look at what the list has beyond the axes",
    ),
    Deliberate(
        tuple(name for name, cls in Operator.registry.items() if issubclass(cls, Parametric) and "bias" in cls.as_tensors),
        "no-such-parameter",
        bias_without_tensor,
        "with a weight that is given there is no bias of its own, and PyTorch's functions have no such argument",
    ),
    Deliberate(
        ("drop_path",),
        "wrong-rank",
        lambda use: use.inputs[0].rank == 1,
        "of samples that are single numbers, `dropout` drops the same",
    ),
    Deliberate(
        (),
        "without-effect",
        lambda use: bool(use.build().find_unused_arguments()),
        "PyTorch does not look at an argument that changes nothing",
    ),
    Deliberate(("diff",), "bad-axis", lambda use: argument(use, "n") == 0, "PyTorch does not look at the axis where nothing is to be done"),
    Deliberate(
        ("embedding", "embedding_bag"),
        "wrong-argument",
        lambda use: argument(use, "max_norm") is not None and argument(use, "max_norm") < 0,
        "PyTorch scales the rows again at each call, with another sign each time",
    ),
    Deliberate(("spectral_normalize",), "wrong-rank", lambda use: use.inputs[0].rank < 2, "PyTorch divides a vector by its norm alone"),
    Deliberate(
        ("spectral_normalize",),
        "wrong-argument",
        lambda use: (argument(use, "eps") or 0) < 0,
        "PyTorch divides by a negative number where a norm is small",
    ),
    Deliberate(
        ("embedding",),
        "bad-argument",
        lambda use: argument(use, "max_norm") is not None and len(use.inputs) > 1,
        "PyTorch changes the tensor that is given as the weight",
    ),
    Deliberate(
        ("roi_align",),
        "wrong-rank",
        lambda use: use.inputs[0].rank != 4 or use.inputs[1].rank != 2,
        "torchvision does not look at the number of axes, and reads past the end",
    ),
    Deliberate(
        ("max_unpool",),
        "wrong-argument",
        lambda use: min(each(use, "padding")) < 0 or (argument(use, "stride") is not None and min(each(use, "stride")) < 1),
        "PyTorch only computes the size with a stride or a padding that no pool has",
    ),
    Deliberate(
        ("stft", "istft"),
        "dtype-mismatch",
        lambda use: len(use.inputs) == 2,
        "a window of another type: PyTorch promotes what it multiplies, and the result changes its type",
    ),
    Deliberate(
        ("stft", "istft"),
        "needs-float",
        lambda use: len(use.inputs) == 2 and use.inputs[0].dtype != use.inputs[1].dtype,
        "a window of another type: PyTorch promotes what it multiplies, and the result changes its type",
    ),
    Deliberate(("conv_transpose",), "wrong-argument", undilated, "PyTorch does not look at a dilation where the kernel is 1"),
    Deliberate(
        ("einsum",),
        "dtype-mismatch",
        lambda use: len(use.inputs) > 2,
        "of several products the order decides which types must agree, and PyTorch takes another one where opt_einsum is installed",
    ),
    Deliberate(("global_max_pool",), "wrong-rank", not_spatial, "a pool: PyTorch has no such function of integers but a reduction"),
    Deliberate(
        ("multihead_attention",),
        "bad-argument",
        lambda use: masked(use) and argument(use, "causal"),
        "with a mask PyTorch takes `causal` as a mere hint about it",
    ),
    Deliberate(
        ("attention",),
        "wrong-argument",
        lambda use: argument(use, "dropout") < 0,
        "a probability; PyTorch looks at it on some of its ways only",
    ),
    Deliberate(
        ("attention",),
        "shape-mismatch",
        fused_unevenly,
        "PyTorch's fused kernel for the CPU does not look whether there are as many values as keys, and reads past their end",
        since="2.13",
    ),
    Deliberate(
        ("attention",),
        "mask-mismatch",
        lambda use: len(use.inputs) > 3 and use.inputs[3].rank < 2,
        "documented to need the last two axes; only the slow path of PyTorch takes fewer",
    ),
    Deliberate(("attention",), "wrong-argument", sees_nothing, "a window of no keys: PyTorch has no name for it"),
    Deliberate(("rotary",), "wrong-argument", lambda use: argument(use, "base") <= 0, "a base without logarithm: the result is nan"),
    Deliberate(("rotary",), "wrong-argument", lambda use: argument(use, "dims") == 0, "nothing would be turned"),
    Deliberate(("attention",), "bad-argument", slides, "a window slides with the queries, from the past; PyTorch has no name for it"),
    Deliberate(("attention",), "shape-mismatch", slides, "a window slides with the queries; PyTorch has no name for it"),
    Deliberate(
        ("attention", "multihead_attention"),
        "causal-alignment",
        unaligned,
        "PyTorch has the first query belong to the first key, which is never what a cache of earlier keys needs",
    ),
    Deliberate(("attention", "multihead_attention"), "bad-argument", ends_before, "the first queries would see nothing"),
    Deliberate(("batch_norm",), "wrong-argument", lambda use: argument(use, "eps") == 0, "its module could not be trained"),
    Deliberate(
        ("lstm", "lstm_cell"),
        "dtype-mismatch",
        lambda use: len(use.inputs) == 3 and use.inputs[0].dtype == use.inputs[1].dtype != use.inputs[2].dtype,
        "a cell state of another type is promoted, and the states that come out could not all go in again",
    ),
    Deliberate(
        BINARY,
        "bad-argument",
        lambda use: argument(use, "reverse") and argument(use, "other") is None,
        "`reverse` is netc's own, and says where a number stands",
    ),
    Deliberate(("one_hot",), "wrong-argument", lambda use: argument(use, "classes") == -1, "the shape would follow from the numbers"),
    Deliberate(
        ("topk",), "wrong-argument", lambda use: not use.inputs[0].rank and argument(use, "k") == 0, "of a single number, none is one"
    ),
    Deliberate(("pad",), "pad-too-large", wraps_twice, "PyTorch copies what it has just copied; of a little more it refuses that itself"),
    Deliberate(("where",), "needs-bool", lambda use: use.inputs[0].dtype.kind == "uint", "deprecated in PyTorch"),
    Deliberate(
        (*(name for name in _ALIKE if name not in _STRICT), "cosine_embedding_loss"),
        "shape-mismatch",
        lambda use: len({t.shape for t in use.inputs}) > 1,
        "a loss that broadcasts is hardly ever meant: PyTorch warns of it",
    ),
    Deliberate(_PROMOTING, "dtype-mismatch", of_several_types, "PyTorch promotes, and then has no gradient, or one of another type"),
    Deliberate(_OF_INTEGERS, "needs-float", lambda use: True, "a loss of integers has no gradient"),
    Deliberate(
        ("cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "soft_margin_loss"),
        "needs-number",
        lambda use: use.inputs[-1].dtype.kind in ("uint", "bool"),
        "targets are 1 and -1, and these types have no -1",
    ),
    Deliberate(
        ("multi_margin_loss", "multilabel_margin_loss"),
        "wrong-rank",
        lambda use: not use.inputs[0].rank,
        "of single numbers: there is one class, or vectors of one number",
    ),
    Deliberate(
        ("multilabel_margin_loss",),
        "shape-mismatch",
        lambda use: {t.shape for t in use.inputs} == {(), (1,)},
        "PyTorch takes a single number for a vector of one",
    ),
    Deliberate(
        ("ctc_loss",),
        "wrong-rank",
        lambda use: use.inputs[0].rank < use.inputs[1].rank + 1,
        "PyTorch takes several sequences of classes for a single one of steps, if the others are empty",
    ),
    Deliberate(
        ("ctc_loss",),
        "needs-integer",
        lambda use: any(t.dtype.name not in ("int32", "int64") for t in use.inputs[1:]),
        "PyTorch converts classes and lengths of other types, and documents int32 and int64",
    ),
    Deliberate(("ctc_loss",), "shape-mismatch", lengths_in_other_axes, "PyTorch counts the lengths, and does not look at their axes"),
    Deliberate(("fractional_max_pool",), "wrong-argument", pools_nothing, "windows of no numbers: PyTorch makes -infinity"),
    Deliberate(("fractional_max_pool",), "shape-mismatch", more_samples, "PyTorch does not look at further samples than the batch has"),
    Deliberate(("lerp",), "dtype-mismatch", weight_of_another_type, "PyTorch takes a weight without axes as a number, whatever its type"),
    Deliberate(("lerp",), "needs-float", weight_of_another_type, "PyTorch takes a weight without axes as a number, integers too"),
    Deliberate(
        _OF_LABELS,
        "needs-integer",
        lambda use: use.inputs[1].dtype.kind == "uint",
        "PyTorch documents int64 class numbers, and takes uint8 without saying so",
    ),
    Deliberate(_NORMS, "wrong-argument", negative_eps, "PyTorch looks at it only when it is too late: the result is nan"),
)
