"""Advise users who write the names that operators and arguments have in other libraries.

In: a name that no operator, or no argument of an operator, has. Out: the advice, empty if there is none. Always: the names are the targets
of the PyTorch backend, and the tables here, which the tests compare with the libraries.

    >>> advise_stage("Linear").help
    "use `dense`, which corresponds to PyTorch's `Linear`"
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from netc.compiler.elaborate.names.name_errors import normalize_name
from netc.compiler.elaborate.names.setting_words import AUGMENTATIONS, SETTINGS
from netc.compiler.errors.problem import Advice, Replacement
from netc.compiler.ops import Operator
from netc.files.package_data import find_data_folder

STAGES = {
    "PyTorch": {
        "addmm": "matmul",
        "amax": "max",
        "baddbmm": "matmul",
        "bmm": "matmul",
        "broadcast_to": "expand",
        "clip": "clamp",
        "concatenate": "concat",
        "dot": "matmul",
        "dstack": "concat axis=2",
        "hstack": "concat axis=1",
        "interpolate": "upsample",
        "mm": "matmul",
        "movedim": "permute",
        "msort": "sort axis=0",
        "mv": "matmul",
        "narrow": "slice",
        "searchsorted": "bucketize",
        "swapaxes": "transpose",
        "swapdims": "transpose",
        "take_along_dim": "gather",
        "unbind": "select",
        "view": "reshape",
        "vstack": "concat axis=0",
    },
    "Keras": {
        "average_pooling": "avg_pool",
        "batch_normalization": "batch_norm",
        "categorical_crossentropy": "cross_entropy",
        "group_normalization": "group_norm",
        "layer_normalization": "layer_norm",
        "depthwise_conv": "conv CHANNELS KERNEL groups=CHANNELS",
        "global_average_pooling": "global_avg_pool",
        "global_max_pooling": "global_max_pool",
        "huber": "huber_loss",
        "kl_divergence": "kl_div",
        "max_pooling": "max_pool",
        "normalization": "standardize",
        "mean_absolute_error": "l1_loss",
        "mean_squared_error": "mse_loss",
        "sparse_categorical_crossentropy": "cross_entropy",
        "spatial_dropout": "channel_dropout",
        "swish": "silu",
        "up_sampling": "upsample",
        "zero_padding": "pad",
        "unit_normalization": "normalize",
    },
    "NumPy": {
        "absolute": "abs",
        "arccos": "acos",
        "arcsin": "asin",
        "arctan": "atan",
        "expand_dims": "unsqueeze",
        "moveaxis": "permute",
        "multiply": "mul",
        "negative": "neg",
        "power": "pow",
        "subtract": "sub",
        "take": "index_select",
        "divide": "div",
    },
    "einops": {
        "pack": "concat",
        "unpack": "split",
    },
    "ONNX": {
        "batch_normalization": "batch_norm",
        "depth_to_space": "pixel_shuffle",
        "gather_elements": "gather",
        "gemm": "dense",
        "global_average_pool": "global_avg_pool",
        "instance_normalization": "instance_norm",
        "layer_normalization": "layer_norm",
        "lrn": "local_response_norm",
        "negative_log_likelihood_loss": "nll_loss",
        "reduce_max": "max",
        "reduce_mean": "mean",
        "reduce_min": "min",
        "reduce_prod": "prod",
        "reduce_sum": "sum",
        "resize": "upsample",
        "rms_normalization": "rms_norm",
        "softmax_cross_entropy_loss": "cross_entropy",
        "space_to_depth": "pixel_unshuffle",
    },
}
"""By library, names that no target of an operator has, and the stage to write. Keras's layers are without their `2D`."""


ABBREVIATIONS = {
    "bce": "binary_cross_entropy", "bn": "batch_norm", "fc": "dense", "gap": "global_avg_pool", "gn": "group_norm", "ln": "layer_norm",
    "mae": "l1_loss", "mha": "multihead_attention", "mse": "mse_loss", "nll": "nll_loss", "rope": "rotary",
    "nograd": "detach", "selfattention": "multihead_attention", "stopgrad": "detach", "stopgradient": "detach",
}  # fmt: skip
"""Abbreviations for layers and losses that are common in models."""


_FORMULA = "write a table by its formula, as in "
_NUMBER = "write a number: with a tensor it is taken for all positions"
_DRAWN = "declare an input, and have it drawn in the train section: `noise = input 8`, `draw noise normal`"
_PARAMETER = "declare a parameter with its shape: `param [5, 1] as weight`"
_GATED = 'it is a block of the standard library: write `use "std/mlp.net": gated_mlp` at the top of the file'
_KIND = "write what kind of layer it is, such as `dense 20`: `netc ops` lists them"
SENTENCES = {
    "arange": f"{_FORMULA}`table (i) [5] int64 = i`",
    "confusion_matrix": "train the model, and `netc evaluate RUN --data TEST.csv` prints its confusion matrix",
    "geglu": f"{_GATED}, then `gated_mlp 32 activation=gelu`",
    "weight": _PARAMETER,
    "weights": _PARAMETER,
    "bias": _PARAMETER,
    "parameter": _PARAMETER,
    "eye": f"{_FORMULA}`table (i, j) [4, 4] = 1 if i == j else 0`",
    "full_like": _NUMBER,
    "linspace": f"{_FORMULA}`table (i) [5] = i / 4`",
    "median": "sort, and take the middle: `sort axis=1 -> select axis=1 index=2` of 5 elements",
    "ones": f"{_FORMULA}`table (i) [5] = 1`",
    "ones_like": _NUMBER,
    "rand": _DRAWN,
    "rand_like": _DRAWN,
    "randn": _DRAWN,
    "randn_like": _DRAWN,
    "zeros": f"{_FORMULA}`table (i) [5] = 0`",
    "zeros_like": _NUMBER,
    "clone": "leave it out: a spec says what is computed, not which memory holds it",
    "contiguous": "leave it out: a spec says what is computed, not which memory holds it",
    "cpu": "leave it out: the module is moved as a whole, `module.to(device)`",
    "cuda": "leave it out: the module is moved as a whole, `module.to(device)`",
    "activation": "an activation is a stage, `-> relu`, or comes last in one, `dense 10 relu`",
    "hidden": _KIND,
    "layer": _KIND,
    "neurons": _KIND,
    "output": "the last stage is the output; `out x` makes others",
    "separable_conv": "write its two parts, for 3 channels `conv 3 3x3 groups=3 -> conv 8 1x1`",
    "time_distributed": "leave it out: a stage such as `dense` does the same at all positions",
    "reduce": "name the reduction and its axes, as in `mean axis=[2, 3]`",
    "sequential": "write the stages one after the other, with arrows: `dense 5 relu -> dense 2`",
    "transformer_decoder_layer": "the standard library has such blocks: see `netc ops std`",
    "transformer_encoder_layer": "the standard library has such blocks: see `netc ops std`",
}
"""Names in other libraries, and names that beginners try, that are not a single operator here, and what to do instead."""
MEASURES = {
    **{name: name for name in ("accuracy", "balanced_accuracy", "f1", "precision", "recall", "log_loss", "perplexity", "auroc")},
    **{name: name for name in ("average_precision", "top_k", "rmse", "r2")},
    "auc": "auroc",
    "roc_auc": "auroc",
    "roc_auc_score": "auroc",
    "f1_score": "f1",
    "r2_score": "r2",
    "top5": "top_k",
    "top_5": "top_k",
}
"""Names of metrics, with the measure of a train section."""
BLOCKS = {"swiglu": ("std/mlp.net", "gated_mlp")}
"""Names of blocks in other libraries, with the file of the standard library and the block."""


OPTIMIZERS = (
    "ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam", "RAdam",
    "RMSprop", "Rprop", "SGD", "SparseAdam",
)  # fmt: skip

UNUSABLE = {
    "lbfgs": "evaluates the loss several times in a step, which `netc train` does not",
    "sparseadam": "needs sparse gradients, which no stage of netc has",
}
"""PyTorch's optimizers that a train section cannot use, by their lower-case names, and the reason."""


SYNONYMS = {
    "PyTorch": {"num_groups": "groups", "padding_value": "value"},
    "Keras": {"filters": "channels", "pool_size": "kernel", "strides": "stride", "dilation_rate": "dilation", "use_bias": "bias",
              "rate": "p", "alpha": "negative_slope", "input_dim": "num", "output_dim": "dim",
              "kernel_initializer": "init", "bias_initializer": "bias_init", "recurrent_initializer": "recurrent_init"},
    "NumPy": {"axes": "axis", "keepdims": "keepdim"},
    "ONNX": {"kernel_shape": "kernel", "strides": "stride", "dilations": "dilation", "pads": "padding", "group": "groups", "epsilon": "eps",
             "perm": "axes", "to": "dtype"},
    "flax": {"features": "units channels", "kernel_init": "init", "use_scale": "affine"},
}  # fmt: skip
"""By library, arguments that have another name here and are not an alias of the operator. Of several names, an operator has one."""


NEEDLESS = {
    "batch_first": "the batch is always the first axis",
    "inplace": "no stage writes over its input",
    "kernel_regularizer": "weight decay is an argument of the optimizer",
    "deterministic": "it is a state of the module: `module.train()`, `module.eval()`",
    "training": "it is a state of the module: `module.train()`, `module.eval()`",
}
"""Arguments that have no meaning here, and the reason."""


DECLARED_ELSEWHERE = {
    "dtype": "give the type to the input, `input 8 bfloat16`, or to the whole model, `--dtype bfloat16`",
    "key_dim": "the size of a head is the number of features divided by the number of heads",
    "requires_grad": "write `trainable=false` for parameters that are not trained",
    "return_sequences": "all positions are given; `select axis=1 index=-1` after it takes the last one",
}
"""Arguments whose meaning is declared elsewhere here, and where."""


INFERRED = ("in_features", "in_channels", "num_features", "normalized_shape", "input_size", "embed_dim", "input_dim", "input_shape")
"""Arguments with the size of the input, which netc infers."""


SIZES_FIRST = (
    {"bilinear": (-1, -1)}
    | dict.fromkeys(("batch_norm", "conv", "conv_transpose", "instance_norm"), (1,))
    | dict.fromkeys(
        ("dense", "gru", "gru_cell", "layer_norm", "lstm", "lstm_cell", "multihead_attention", "rms_norm", "rnn", "rnn_cell"), (-1,)
    )
)
"""The sizes of inputs that PyTorch's modules take before their other arguments, as axes: `nn.Linear(in_features, ...)` takes axis -1."""


ORDER = {
    "avg_pool": ("kernel", "stride", "padding"),
    "conv": ("channels", "kernel", "stride", "padding", "dilation", "groups"),
    "conv_transpose": ("channels", "kernel", "stride", "padding", "output_padding", "groups"),
    "max_pool": ("kernel", "stride", "padding", "dilation"),
}
"""The order of arguments in PyTorch's modules, after the sizes of inputs, for operators that take fewer arguments by position."""


def advise_stage(name: str) -> Advice:
    """Return the advice for a stage with this name in another library, empty if there is none."""
    if normalize_name(name) == "input":
        return Advice("write a shape without its batch axis, channels first: `x = input 3x224x224`", Replacement("input"))
    if name in OPTIMIZERS:
        return _advise_optimizer(name)
    sentence = next((text for word, text in SENTENCES.items() if normalize_name(word) == normalize_name(name)), "")
    if sentence:
        return Advice(sentence)
    measure = MEASURES.get(name)
    if measure is not None:
        return Advice(f"in place of the formula, write the line `measure {measure}` into the train section; it needs `validate 0.2`")
    if name in AUGMENTATIONS:
        return Advice(f"write it into the train section, as a line of its own: `augment {AUGMENTATIONS[name]}`")
    for library, names in _normalize_stages().items():
        # with its digits first, because `dropout2d` is not `dropout`
        local_stage = names.get(name.lower(), names.get(normalize_name(name)))
        if local_stage is not None:
            # arguments carry over only if the stage is the target itself, not an entry of the tables
            same = _map_pytorch_targets().get(name.lower()) == local_stage
            return Advice(f"use `{local_stage}`, which corresponds to {library}'s `{name}`", Replacement(local_stage), same_arguments=same)
    if name in BLOCKS:
        path, block = BLOCKS[name]
        written = f'write `use "{path}": {block}` at the top of the file, and here `{block}`'
        return Advice(f"it is a block of the standard library: {written}", Replacement(block), use=path)
    path = _find_standard_blocks().get(name, "")
    if path:
        return Advice(f'it is a block of the standard library: write `use "{path}": {name}` at the top of the file', use=path)
    if name in SETTINGS:
        return Advice(f"`{name}` is a setting of a train section, `train {{ ... }}`: see `netc ops train`")
    short = ABBREVIATIONS.get(normalize_name(name))
    if short is None and normalize_name(name).endswith("loss"):
        return Advice("losses are operators, `(guess, target) -> mse_loss`; `netc ops` lists them, and others are written with arithmetic")
    return Advice(f"write `{short}`", Replacement(short, safe=True)) if short else Advice()


def _advise_optimizer(name: str) -> Advice:
    why = UNUSABLE.get(name.lower(), "")
    written = f"training has a section of its own, with `optimizer {'adamw' if why else name.lower()} lr=1e-3`: see `netc ops train`"
    return Advice(f"{written}; `{name}` {why}" if why else written)


def advise_argument(operator: type[Operator], name: str) -> Advice:
    """Return the advice for an argument with this name in another library, empty if there is none."""
    for library, names in SYNONYMS.items():
        local_name = next((argument_name for argument_name in names.get(name, "").split() if argument_name in operator.signature), "")
        if local_name:
            return Advice(f"write `{local_name}=`, which corresponds to {library}'s `{name}`", Replacement(local_name, safe=True))
    if name in INFERRED:
        return Advice(f"remove `{name}`: the size of the input is known from the input", removes=True)
    if name in NEEDLESS:
        return Advice(f"remove `{name}`: {NEEDLESS[name]}", removes=True)
    return Advice(DECLARED_ELSEWHERE.get(name, ""))


def get_argument_order(operator: str) -> tuple[str, ...]:
    """Return an operator's arguments in PyTorch's order, empty if it is the operator's own order."""
    return ORDER.get(operator, ())


def get_input_size_axes(operator: str) -> tuple[int, ...]:
    """Return the axes of the inputs whose sizes PyTorch's module takes before its other arguments."""
    return SIZES_FIRST.get(operator, ())


@cache
def _find_standard_blocks() -> dict[str, str]:
    """Return the blocks of the standard library, each with the path of its file in a `use`."""
    blocks: dict[str, str] = {}
    for path in sorted((Path(find_data_folder("specs", "specs")) / "std").glob("*.net")):
        for name in re.findall(r"^block (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            blocks.setdefault(name, f"std/{path.name}")
    return blocks


@cache
def _normalize_stages() -> dict[str, dict[str, str]]:
    """Return the tables with normalized names. For PyTorch, the table wins over the targets."""
    tables = {library: {normalize_name(name): stage for name, stage in names.items()} for library, names in STAGES.items()}
    return {**tables, "PyTorch": {**_map_pytorch_targets(), **tables["PyTorch"]}}


@cache
def _map_pytorch_targets() -> dict[str, str]:
    """Return the operator for each of PyTorch's names in lower case: `linear` is `dense`, from `torch.nn.Linear`.

    Digits stay, because `dropout2d` is not `dropout`. A module wins over a function with the same name, because a function may be a part of
    several operators.
    """
    from netc.compiler.backends.backend_registry import get_or_raise

    local_names = {normalize_name(name): name for name in Operator.registry}
    functions: dict[str, str] = {}
    modules: dict[str, str] = {}
    pytorch = get_or_raise("torch")  # the library that most people know the names of
    for operator in Operator.registry.values():
        for path in (pytorch.operator_target(operator) or "").split(","):
            words = path.strip().split(".")
            if len(words) > 1 and all(word.isidentifier() for word in words):
                names, word = modules if words[-1][0].isupper() else functions, normalize_name(words[-1])
                names[words[-1].lower()] = operator.name
                if local_names.get(word, operator.name) == operator.name:  # a name that netc has itself means netc's operator
                    names[word] = operator.name
    return {**functions, **modules}
