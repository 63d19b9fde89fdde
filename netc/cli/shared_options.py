"""The options that several commands share, and the functions that parse their values.

In: words of the command line. Out: an `analysis.Choice`, a `Checkpoint`, dictionaries by name. Always: an invalid word is a usage error at
its option. An option of several commands is declared here once, with the help as a parameter, and a test finds a second declaration.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from netc.compiler.backends.backend_names import OPSET, OPSETS
from netc.compiler.types.tensor_types import TYPE_ALIASES

from ..inputs.argument_checks import FLOAT_NAMES, check_metadata, check_precision
from .completion import FileName, FolderName, SpecName, complete_models

if TYPE_CHECKING:
    from ..analysis import Choice
    from ..inputs.checkpoint import Checkpoint

F = TypeVar("F", bound=Callable[..., Any])
DEVICES = ("cpu", "cuda")
"""The devices that a model can run on, the default first."""
_OUTER_COMMA = re.compile(r",(?![^\[(]*[\])])")
"""A comma outside of brackets, which are not nested in values of `--set`: `[1,2],[3,4]` has one."""


def plugin_option(function: F) -> F:
    """Add `--plugin`. The modules are loaded before the command runs."""
    return click.option(
        "--plugin",
        multiple=True,
        metavar="MODULE",
        callback=_load_plugins,
        expose_value=False,
        is_eager=True,
        help="Import a Python module that defines operators.",
    )(function)


def spec_options(function: F) -> F:
    """Add `--model`, `--set`, `--dim` and `--allow-path`, which `make_choice` takes, and `--plugin`."""
    help = "Override a parameter of the model."
    return _spec_options(function, click.option("--set", "params", multiple=True, metavar="NAME=VALUE", callback=_parse_params, help=help))


def sweep_options(function: F) -> F:
    """Add the same options with several values for each parameter of `--set`."""
    help = "Values of a parameter of the model."
    return _spec_options(
        function, click.option("--set", "params", multiple=True, metavar="NAME=A,B,...", callback=_parse_alternatives, help=help)
    )


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
        click.option("--dim", "dims", multiple=True, metavar="T=128", callback=_parse_dims, help="Fix a symbolic dimension."),
        setting,
        click.option("--model", metavar="NAME", shell_complete=complete_models, help="Select a model of the file."),
    ):
        function = option(function)
    return function


def _parse_metadata(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = parse_pairs(ctx, option, values)
    try:
        check_metadata(pairs)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, option) from None
    return pairs


def graph_options(function: F) -> F:
    """Add `--opset`, `--no-optimize`, `--metadata` and `--functions`. The command gets `graph`, the explicit fields of `GraphOptions`.

    A default is left out, because an explicit option is an error for a target without an ONNX graph.
    """

    @opset_option(f"Write for this opset of ONNX. [default: {OPSET}]")
    @click.option("--no-optimize", is_flag=True, help="Write the ONNX graph stage by stage, with the parameters unchanged.")
    @click.option("--functions", is_flag=True, help="Write an ONNX function for each block, so that viewers show the hierarchy.")
    @click.option(
        "--metadata",
        multiple=True,
        metavar="NAME=TEXT",
        callback=_parse_metadata,
        help="Store a text in the file, such as a version or a license.",
    )
    @wraps(function)
    def wrapper(*args: Any, opset: int | None, no_optimize: bool, metadata: dict[str, str], functions: bool, **kwargs: Any) -> Any:
        asked = {"opset": opset, "optimize": False if no_optimize else None, "metadata": metadata or None, "functions": functions or None}
        return function(*args, graph={name: value for name, value in asked.items() if value is not None}, **kwargs)

    return cast("F", wrapper)


class FloatName(click.Choice):  # type: ignore[type-arg]
    """An element type by its name or an alias of it, such as `fp16` or `half`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(TYPE_ALIASES.get(value, value), param, ctx)


def precision_options(function: F) -> F:
    """Add `--dtype` and `--keep-io`."""
    keep = click.option("--keep-io", is_flag=True, help="With --dtype: keep inputs and outputs in float32.")
    dtype = click.option(
        "--dtype", type=FloatName(FLOAT_NAMES), help="Element type for everything without one in the spec. [default: float32]"
    )
    return dtype(keep(function))


def source_options(function: F) -> F:
    """Add the source of one spec: a file, a published name, `-` or `-e TEXT`."""
    function = click.argument("file", required=False, metavar="FILE", type=SpecName())(function)
    return expression_option("Read the spec from this text instead of a file.")(function)


def expression_option(help: str) -> Callable[[F], F]:
    """Add `-e`, a spec as a word of the command line. The command gets it as `text`."""
    return click.option("-e", "--expression", "text", metavar="TEXT", help=help)


def seed_option(help: str) -> Callable[[F], F]:
    """Add `--seed`, an integer that `torch.manual_seed` accepts too."""
    return click.option("--seed", type=click.IntRange(0, 2**63 - 1), metavar="N", help=help)


def calibration_option(help: str) -> Callable[[F], F]:
    """Add `--calibration`, the data on which a model is measured."""
    return click.option("--calibration", metavar="FILE.npz", type=FileName(), help=help)


def section_option(help: str = "Select a train section of the file.") -> Callable[[F], F]:
    """Add `--section`."""
    return click.option("--section", metavar="NAME", help=help)


def batch_option(help: str) -> Callable[[F], F]:
    """Add `--batch`."""
    return click.option("--batch", type=click.IntRange(1), metavar="N", help=help)


def device_option(help: str, default: str | None = DEVICES[0], devices: Sequence[str] = DEVICES) -> Callable[[F], F]:
    """Add `--device`, the device that runs or trains the model, or that the model is checked for."""
    return click.option("--device", type=click.Choice(devices), default=default, help=help)


def opset_option(help: str) -> Callable[[F], F]:
    """Add `--opset`, an opset of ONNX that netc writes."""
    low, high = OPSETS[0], OPSETS[-1]
    return click.option("--opset", type=click.IntRange(low, high), metavar=f"{low}..{high}", help=help)


def other_model_option(help: str) -> Callable[[F], F]:
    """Add `--other-model`, the model of a second spec."""
    return click.option("--other-model", metavar="NAME", shell_complete=complete_models, help=help)


def module_input_option(help: str) -> Callable[[F], F]:
    """Add `--input` for a PyTorch module, declared as in a spec. The command gets it as `inputs`."""
    return click.option("--input", "inputs", multiple=True, metavar="[NAME=]SHAPE", help=help)


def module_argument_option(help: str) -> Callable[[F], F]:
    """Add `--args`, an argument of the class or function that returns a PyTorch module. The command gets it as `arguments`."""
    return click.option("--args", "arguments", multiple=True, metavar="K=V", callback=parse_pairs, help=help)


def weight_options(function: F) -> F:
    """Add the options of a checkpoint, and `--seed`."""
    return checkpoint_options(seed_option("Initialize the parameters with this seed.")(function))


def checkpoint_options(function: F) -> F:
    """Add `--weights`, `--strip-prefix`, `--ignore` and `--allow-missing`. The command gets `weights`: a `Checkpoint` or None."""

    @wraps(function)
    def wrapper(*args: Any, weights: tuple[str, ...], strip_prefix: str | None, **others: Any) -> Any:
        patterns = {name: others.pop(name) for name in _PATTERNS}
        return function(*args, weights=_make_checkpoint(weights, strip_prefix, patterns), **others)

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
        wrapper = option(wrapper)
    return cast(F, wrapper)


_PATTERNS = ("ignore", "allow_missing")
_WEIGHTS_HELP = (
    "Weights: a .safetensors, .npz, .pt, .bin or .ckpt file, an index of shards, a folder, a run, or hf:ORG/NAME. Repeat for several."
)


def _make_checkpoint(paths: tuple[str, ...], prefix: str | None, patterns: dict[str, tuple[str, ...]]) -> Checkpoint | None:
    if paths:
        from ..inputs.checkpoint import Checkpoint

        return Checkpoint(paths, strip_prefix=prefix, **patterns)
    if prefix is not None or any(patterns.values()):
        raise click.UsageError("--strip-prefix, --ignore and --allow-missing are for --weights")
    return None


def make_choice(
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
    dtype: str | None = None,
    keep_io: bool = False,
) -> Choice:
    """Return the model, parameters, sizes and precision that the options choose."""
    from ..analysis import Choice

    if keep_io and dtype is None:
        raise click.UsageError("--keep-io needs --dtype, which sets the type of the rest of the model")
    return Choice(model, params, dims, allow_paths, check_precision(dtype, keep_io))


def require_one_source(file: str | None, text: str | None) -> str | None:
    """Check that either a file or a text is given, and return the path; None stands for the text."""
    if file is None and text is None:
        raise click.UsageError("give a FILE, `-` for standard input, or `-e TEXT`")
    if file is not None and text is not None:
        raise click.UsageError("give either a FILE or `-e TEXT`, not both")
    return file


def parse_pairs(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """Return the values of an option `NAME=VALUE` by name. A name may be given only once, so that no value is ignored."""
    pairs: dict[str, str] = {}
    for word in values:
        name, equals, value = (part.strip() for part in word.partition("="))
        if not (name and equals and value):
            raise click.BadParameter(f"expected {option.metavar}, got `{word}`", ctx, option)
        if name in pairs:
            raise click.BadParameter(f"`{name}` is given twice", ctx, option)
        pairs[name] = value
    return pairs


def _parse_named_pairs(values: tuple[str, ...], ctx: click.Context, option: click.Parameter) -> dict[str, str]:
    """Return the values of an option `NAME=VALUE` whose names are identifiers of a spec."""
    pairs = parse_pairs(ctx, option, values)
    for name in pairs:
        if not name.isidentifier():
            raise click.BadParameter(f"expected {option.metavar}, got `{name}={pairs[name]}`", ctx, option)
    return pairs


def _load_plugins(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> None:
    if not values or ctx.resilient_parsing:  # the shell's completion parses the words typed so far, and must not run a module
        return
    from ..plugin_loading import PluginError, load_plugin
    from .command_failure import CommandFailed

    for name in values:
        try:
            load_plugin(name)
        except PluginError as error:
            raise CommandFailed(str(error)) from None


def list_weight_paths(weights: Checkpoint | None) -> tuple[str, ...]:
    """Return the paths that the command reads weights from."""
    return () if weights is None else weights.paths


def refuse_overwriting(output: str | None, *inputs: str | None) -> None:
    """Refuse an output that is a file which the command reads, or any existing spec: another spec may `use` it."""
    if output is None or output == "-":
        return
    # a link may lead to a spec
    real = os.path.realpath(output)
    if os.path.splitext(real)[1].lower() == ".net" and os.path.lexists(real):
        raise click.UsageError(f"`{output}` is a spec that exists, and -o would overwrite it")
    for path in inputs:
        if path not in (None, "-") and _is_same_file(output, path):
            raise click.UsageError(f"-o would overwrite `{path}`, which the command reads")


def _is_same_file(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    # the output does not exist yet, or a name contains a NUL
    except (OSError, ValueError):
        return False


def _parse_dims(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, int]:
    dims: dict[str, int] = {}
    for name, value in _parse_named_pairs(values, ctx, option).items():
        digits = value.replace("_", "")
        # 20 digits are more than an int64 has, and Python refuses to convert very long numbers
        if not (digits.isascii() and digits.isdigit()) or not 0 < int(digits[:20]) < 2**63:
            raise click.BadParameter(f"`{name}` needs an integer from 1 to 2**63 - 1, got `{value}`", ctx, option)
        dims[name] = int(digits)
    return dims


def _parse_params(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, object]:
    return {name: _parse_constant(name, text, ctx, option) for name, text in _parse_named_pairs(values, ctx, option).items()}


def _parse_alternatives(ctx: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, list[tuple[str, object]]]:
    """Return for each name its values in order, each with its text: `width=8,16` gives `{"width": [("8", 8), ("16", 16)]}`."""
    alternatives: dict[str, list[tuple[str, object]]] = {}
    for name, text in _parse_named_pairs(values, ctx, option).items():
        texts = [part.strip() for part in _OUTER_COMMA.split(text)]
        if not all(texts):
            raise click.BadParameter(f"expected {option.metavar}, got `{name}={text}`", ctx, option)
        alternatives[name] = [(part, _parse_constant(name, part, ctx, option)) for part in texts]
        seen: set[str] = set()
        for part, value in alternatives[name]:
            if repr(value) in seen:  # 8 == 8.0, but they are different values of a parameter
                raise click.BadParameter(f"`{name}` is given the value `{part}` twice", ctx, option)
            seen.add(repr(value))
    return alternatives


def _parse_constant(name: str, text: str, ctx: click.Context, option: click.Parameter) -> object:
    from ..inputs.set_values import NotAValue, parse_constant

    try:
        return parse_constant(text)
    except NotAValue as error:
        raise click.BadParameter(f"`{name}`: {error}", ctx, option) from None
