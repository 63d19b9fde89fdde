"""Options that several commands share, and what they become.

In: words of the command line. Out: an `analysis.Choice`, or a way to read the spec; words that make no sense are usage errors.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from netc.compiler.backends.backend import OPSET, OPSETS
from netc.compiler.types.tensor_types import TYPE_ALIASES

from ..inputs.argument_checks import FLOAT_NAMES, checked_metadata, checked_precision
from .completion import FileName, FolderName, models

if TYPE_CHECKING:
    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint

F = TypeVar("F", bound=Callable[..., Any])
DEVICES = ("cpu", "cuda")
"""Where a model can run, the usual place first."""
_OUTER_COMMA = re.compile(r",(?![^\[(]*[\])])")
"""A comma outside of brackets that are not nested."""


def plugin_option(function: F) -> F:
    """`--plugin`: the modules are loaded before the command runs."""
    return click.option(
        "--plugin",
        multiple=True,
        metavar="MODULE",
        callback=_load,
        expose_value=False,
        is_eager=True,
        help="Import a Python module that defines operators.",
    )(function)


def spec_options(function: F) -> F:
    """`--model`, `--set`, `--dim`, `--allow-path`, which `choose` takes; and `--plugin`."""
    help = "Override a parameter of the model."
    return _spec_options(function, click.option("--set", "params", multiple=True, metavar="NAME=VALUE", callback=_params, help=help))


def sweep_options(function: F) -> F:
    """The same with several values for each parameter: lists of what `choose` takes."""
    help = "Values of a parameter of the model."
    return _spec_options(function, click.option("--set", "params", multiple=True, metavar="NAME=A,B,...", callback=_several, help=help))


def _spec_options(function: F, setting: Callable[[F], F]) -> F:
    function = plugin_option(function)
    for option in (
        click.option(
            "--allow-path",
            "allow_paths",
            multiple=True,
            metavar="DIR",
            type=FolderName(),
            help="Let `use` read this folder, in addition to FILE's folder.",
        ),
        click.option("--dim", "dims", multiple=True, metavar="T=128", callback=_dims, help="Fix a symbolic dimension."),
        setting,
        click.option("--model", metavar="NAME", shell_complete=models, help="Select a model of the file."),
    ):
        function = option(function)
    return function


def _metadata(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = named_words(ctx, option, values)
    try:
        checked_metadata(pairs)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from None
    return pairs


def graph_options(function: F) -> F:
    """`--opset`, `--no-optimize`, `--metadata`, `--functions`: as `graph`, the fields of `GraphOptions` that are given."""
    low, high = OPSETS[0], OPSETS[-1]
    told = f"Write for this opset of ONNX. [default: {OPSET}]"

    @click.option("--opset", type=click.IntRange(low, high), metavar=f"{low}..{high}", help=told)
    @click.option("--no-optimize", is_flag=True, help="Write the ONNX graph stage by stage, with the parameters unchanged.")
    @click.option("--functions", is_flag=True, help="Write an ONNX function for each block, so that viewers show the hierarchy.")
    @click.option(
        "--metadata",
        multiple=True,
        metavar="NAME=TEXT",
        callback=_metadata,
        help="Store a text in the file, such as a version or a license.",
    )
    @wraps(function)
    def command(*args: Any, opset: int | None, no_optimize: bool, metadata: dict[str, str], functions: bool, **kwargs: Any) -> Any:
        asked = {"opset": opset, "optimize": False if no_optimize else None, "metadata": metadata or None, "functions": functions or None}
        return function(*args, graph={name: value for name, value in asked.items() if value is not None}, **kwargs)

    return cast("F", command)


class FloatName(click.Choice):  # type: ignore[type-arg]
    """An element type by its name, or by another common name: `fp16`, `half`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(TYPE_ALIASES.get(value, value), param, ctx)


def precision_options(function: F) -> F:
    """`--dtype`, `--keep-io`."""
    keep = click.option("--keep-io", is_flag=True, help="With --dtype: keep inputs and outputs in float32.")
    dtype = click.option(
        "--dtype", type=FloatName(FLOAT_NAMES), help="Element type for everything without one in the spec. [default: float32]"
    )
    return dtype(keep(function))


def source_options(function: F) -> F:
    """One spec: a file, `-` or `-e TEXT`."""
    function = click.argument("file", required=False, metavar="FILE", type=FileName())(function)
    return expression_option("Read the spec from this text instead of a file.")(function)


def expression_option(help: str) -> Callable[[F], F]:
    """`-e`: a spec as a word of the command line; as `text`."""
    return click.option("-e", "--expression", "text", metavar="TEXT", help=help)


def seed_option(help: str) -> Callable[[F], F]:
    """`--seed`: an integer that PyTorch takes as one too."""
    return click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help=help)


def section_option(help: str = "Select a train section of the file.") -> Callable[[F], F]:
    """`--section`."""
    return click.option("--section", metavar="NAME", help=help)


def batch_option(help: str) -> Callable[[F], F]:
    """`--batch`."""
    return click.option("--batch", type=click.IntRange(1), metavar="N", help=help)


def device_option(help: str, default: str | None = DEVICES[0]) -> Callable[[F], F]:
    """`--device`: where a model runs or is trained, on this machine."""
    return click.option("--device", type=click.Choice(DEVICES), default=default, help=help)


def other_model_option(help: str) -> Callable[[F], F]:
    """`--other-model`: the model of a second spec."""
    return click.option("--other-model", metavar="NAME", shell_complete=models, help=help)


def module_input_option(help: str) -> Callable[[F], F]:
    """`--input` of a PyTorch module, as a spec declares it; as `inputs`."""
    return click.option("--input", "inputs", multiple=True, metavar="[NAME=]SHAPE", help=help)


def module_argument_option(help: str) -> Callable[[F], F]:
    """`--args`: an argument of the class or function that makes a PyTorch module; as `arguments`."""
    return click.option("--args", "arguments", multiple=True, metavar="K=V", callback=named_words, help=help)


def weight_options(function: F) -> F:
    """`--weights` and what goes with it, as a `Checkpoint` or None; `--seed`."""
    return checkpoint_options(seed_option("Initialize the parameters with this seed.")(function))


def checkpoint_options(function: F) -> F:
    """`--weights`, `--strip-prefix`, `--ignore`, `--allow-missing`: as one argument, `weights`, a `Checkpoint` or None."""

    @wraps(function)
    def packed(*args: Any, weights: tuple[str, ...], strip_prefix: str | None, **others: Any) -> Any:
        patterns = {name: others.pop(name) for name in _PATTERNS}
        return function(*args, weights=_checkpoint(weights, strip_prefix, patterns), **others)

    for option in (
        click.option(
            "--allow-missing",
            multiple=True,
            metavar="PATTERN",
            help="Initialize parameters that match, such as 'fc.*', if the weights lack them.",
        ),
        click.option("--ignore", multiple=True, metavar="PATTERN", help="Skip weights whose names match, such as 'aux.*'."),
        click.option("--strip-prefix", metavar="PREFIX", help="Remove a prefix from the names of the weights."),
        click.option("--weights", multiple=True, metavar="FILE", type=FileName(), help=_WEIGHTS_HELP),
    ):
        packed = option(packed)
    return cast(F, packed)


_PATTERNS = ("ignore", "allow_missing")
_WEIGHTS_HELP = (
    "Weights: a .safetensors, .npz, .pt, .bin or .ckpt file, an index of shards, a folder, a run, or hf:ORG/NAME. Repeat for several."
)


def _checkpoint(paths: tuple[str, ...], prefix: str | None, patterns: dict[str, tuple[str, ...]]) -> Checkpoint | None:
    if paths:
        from ..inputs.checkpoint import Checkpoint

        return Checkpoint(paths, strip_prefix=prefix, **patterns)
    if prefix is not None or any(patterns.values()):
        raise click.UsageError("--strip-prefix, --ignore and --allow-missing are for --weights")
    return None


def choose(
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None = None,
    keep_io: bool = False,
) -> Choice:
    """What is asked of the spec."""
    from ..analysis import Choice

    if keep_io and dtype is None:
        raise click.UsageError("--keep-io is for --dtype, which says what the rest of the model is")
    return Choice(model, params, dims, allow_paths, checked_precision(dtype, keep_io))


def one_source(file: str | None, text: str | None) -> str | None:
    """Checks that there is one spec: the path, or None for `text`."""
    if file is None and text is None:
        raise click.UsageError("give a FILE, `-` for standard input, or `-e TEXT`")
    if file is not None and text is not None:
        raise click.UsageError("give either a FILE or `-e TEXT`, not both")
    return file


def named_words(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """The values of an option `NAME=VALUE` by their names, each given once."""
    pairs: dict[str, str] = {}
    for word in values:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not (name and equals and value):
            raise click.BadParameter(f"expected {option.metavar}, got `{word}`", ctx, option)
        if name in pairs:
            raise click.BadParameter(f"`{name}` is given twice", ctx, option)
        pairs[name] = value
    return pairs


def _pairs(values: tuple[str, ...], ctx: click.Context, option: click.Parameter) -> dict[str, str]:
    """The same, with names of a spec."""
    pairs = named_words(ctx, option, values)
    for name in pairs:
        if not name.isidentifier():
            raise click.BadParameter(f"expected {option.metavar}, got `{name}={pairs[name]}`", ctx, option)
    return pairs


def _load(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> None:
    if not values or ctx.resilient_parsing:
        return
    from ..plugin_loading import PluginError, load
    from .command_failure import Failed

    for name in values:
        try:
            load(name)
        except PluginError as error:
            raise Failed(str(error)) from None


def read_by(weights: Checkpoint | None) -> tuple[str, ...]:
    """The paths of weights."""
    return () if weights is None else weights.paths


def refuse_overwriting(output: str | None, *inputs: str | None) -> None:
    """What is read is not written over: neither a spec that exists, which others may use, nor the other inputs of the command."""
    if output is None or output == "-":
        return
    real = os.path.realpath(output)
    if os.path.splitext(real)[1].lower() == ".net" and os.path.lexists(real):
        raise click.UsageError(f"`{output}` is a spec that exists, and -o would overwrite it")
    for path in inputs:
        if path not in (None, "-") and _same(output, path):
            raise click.UsageError(f"-o would overwrite `{path}`, which the command reads")


def _same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False


def _dims(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    dims: dict[str, int] = {}
    for name, value in _pairs(values, ctx, option).items():
        digits = value.replace("_", "")
        if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits[:20]) < 2**63:
            raise click.BadParameter(f"`{name}` needs an integer of at least 1, got `{value}`", ctx, option)
        dims[name] = int(digits)
    return dims


def _params(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, object]:
    return {name: _constant(name, text, ctx, option) for name, text in _pairs(values, ctx, option).items()}


def _several(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, list[tuple[str, object]]]:
    """For each name the values, with their texts."""
    found: dict[str, list[tuple[str, object]]] = {}
    for name, text in _pairs(values, ctx, option).items():
        texts = [one.strip() for one in _OUTER_COMMA.split(text)]
        if not all(texts):
            raise click.BadParameter(f"expected {option.metavar}, got `{name}={text}`", ctx, option)
        found[name] = [(one, _constant(name, one, ctx, option)) for one in texts]
        seen: set[str] = set()
        for one, value in found[name]:
            if repr(value) in seen:  # which 8 and 8.0 do not share
                raise click.BadParameter(f"`{name}` is given the value `{one}` twice", ctx, option)
            seen.add(repr(value))
    return found


def _constant(name: str, text: str, ctx: click.Context, option: click.Parameter) -> object:
    from .set_values import NotAValue, parse_constant

    try:
        return parse_constant(text)
    except NotAValue as error:
        raise click.BadParameter(f"`{name}`: {error}", ctx, option) from None
