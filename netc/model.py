"""The compiled model that `netc.compile` returns.

In: a checked program. Out: its types, its PyTorch source and module, its ONNX model, a session that runs it. Always: with the same seed or
the same weights, the module, the source and the ONNX model compute the same function.

    >>> import netc
    >>> model = netc.compile("x = input 3; y = x -> dense 2; out y")
    >>> model.inputs, model.outputs, list(model.parameters)
    ({'x': TensorType([N, 3])}, {'y': TensorType([N, 2])}, ['dense1.weight', 'dense1.bias'])
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Unpack, overload

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import DEFAULT_OPTIONS, GraphOptions, SourceOptions
from netc.compiler.backends.backend_registry import get_or_raise
from netc.compiler.backends.flax import BACKEND as FLAX
from netc.compiler.backends.mlx import BACKEND as MLX
from netc.compiler.backends.onnx import BACKEND as ONNX
from netc.compiler.backends.torch import BACKEND as PYTORCH
from netc.dsl.record import replace

from .errors import CompileError, raise_as_compile_error
from .files.atomic_writing import write_bytes
from .files.save_artifacts import refuse_options, refuse_source_options, refuse_weights, require_backend, save_artifact
from .inputs.argument_checks import check_graph_options, check_name, check_params, check_path, check_precision
from .inputs.argument_types import check_methods
from .inputs.backend_input import Weights, make_backend_input, warn_about_weights
from .inputs.checkpoint import to_checkpoint
from .inputs.graph_keywords import GraphKeywords, WriterKeywords
from .inputs.source_options import make_source_options

if TYPE_CHECKING:
    import onnx
    import torch
    from flax import nnx
    from mlx import nn

    from netc.compiler.analysis.state_dict import ParameterInfo
    from netc.compiler.backends.backend import BackendInput
    from netc.compiler.backends.onnx.runtime import OnnxSession
    from netc.compiler.ir.graph import Program
    from netc.compiler.types.tensor_types import TensorType
    from netc.dsl.diagnostics import Diagnostic

    from .analysis import Spec
    from .display.model_summary import SpecSummary
    from .proving.range_report import RangeReport
    from .quantizing import QuantizationReport
    from .runtimes.runtime_session import RuntimeSession
    from .streaming.model_stream import ModelStream
    from .training.objective import Objective
    from .transformers_folder.save_folder import TransformersFolder


class ParameterTable(dict[str, "ParameterInfo"]):
    """Descriptions of parameters and buffers by state-dict name, in order."""

    def __call__(self) -> NoReturn:
        """Raise a `TypeError` that names the tensors for an optimizer: `model.parameters()` works for a module of PyTorch."""
        raise TypeError("`Model.parameters` is a table, not a method; a module has the tensors: `model.module().parameters()`")


@check_methods
class Model:
    """A checked model. Methods that need PyTorch, NumPy or ONNX import them."""

    def __init__(self, program: Program, diagnostics: tuple[Diagnostic, ...] = (), spec_hash: str = "", spec: Spec | None = None) -> None:
        self.name = program.main.name
        self.diagnostics = diagnostics
        """Warnings, sorted."""
        self.program = program
        """The typed graph, from which the methods make everything else."""
        self.weights: Mapping[str, Any] | None = None
        """The arrays of an imported model by key, which the methods use if they get neither weights nor a seed."""
        self._hash = spec_hash
        self._spec = spec

    @cached_property
    def inputs(self) -> dict[str, TensorType]:
        """The types of the inputs by name, in order."""
        return {value.name: value.type for value in self.program.main.inputs}

    @cached_property
    def outputs(self) -> dict[str, TensorType]:
        """The types of the outputs by name, in order."""
        main = self.program.main
        return {name: value.type for name, value in zip(main.output_names, main.outputs, strict=True)}

    @cached_property
    def parameters(self) -> ParameterTable:
        """The parameters and buffers by state-dict name."""
        return ParameterTable(collect_parameters(self.program))

    def __call__(self, *tensors: object, **named: object) -> NoReturn:
        """Raise a `TypeError` that says what can be called: a model of PyTorch or Keras is callable, and this one is not."""
        raise TypeError("a Model is not callable; call its PyTorch module, `model.module()(x)`, or `model.session()(x)` in ONNX Runtime")

    def in_type(self, dtype: object = None, keep_io: bool = False) -> Model:
        """Return the same model in another element type, such as `"bfloat16"` or `torch.bfloat16`, for everything to which the spec gives
        none.

        With `keep_io`, inputs and outputs stay float32. Without `dtype`, return the model itself. The methods below take both arguments
        too. Raises `CompileError` for a stage that does not support the type, and `ValueError` for a model that was made from a program,
        not from a spec.
        """
        if dtype is None and not keep_io:
            return self
        precision = check_precision(dtype, keep_io)
        if self._spec is None:
            raise ValueError("this model was made of a program, not of a spec: its element type is settled")
        from .files.spec_hash import hash_spec

        analysis, spec = self._spec.change_precision(precision)
        if analysis.program is None:
            raise CompileError(analysis.require_model().diagnostics)
        model = Model(analysis.program, analysis.diagnostics, hash_spec(analysis, spec.choice), spec)
        model.weights = self.weights
        return model

    def source(
        self,
        target: str = "torch",
        *,
        dtype: object = None,
        keep_io: bool = False,
        scan_layers: bool = False,
        tp: int = 1,
        **options: Unpack[GraphKeywords],
    ) -> str:
        """Return the text that the backend of a target writes.

        For PyTorch, it is a module that imports nothing but torch and has a class for each block. For ONNX, it is the graph as text, with
        the options of `onnx`. For Flax, `scan_layers` is as in `flax`, and with `tp` above 1, the text has a function that divides the
        layers among that number of devices. Raises `ValueError` for an unknown target and for options of another
        target, and `CompileError` for a stage that the target cannot express.
        """
        backend = get_or_raise(target)
        refuse_options(backend, options)
        refuse_source_options(backend, [name for name, is_given in (("scan_layers", scan_layers), ("tp", tp > 1)) if is_given])
        model, graph_options = self.in_type(dtype, keep_io), check_graph_options(**options)
        inputs = replace(model.backend_input(options=graph_options), source_options=make_source_options(model.program, scan_layers, tp))
        with raise_as_compile_error(model.program):
            return backend.text(inputs)

    def spec(self) -> str:
        """Return the text of the spec. For a model that was made from a program, return an equivalent text."""
        if self._spec is not None:
            return self._spec.source.text
        return self.source("net")

    def module(
        self, weights: Weights | None = None, seed: int | None = None, *, dtype: object = None, keep_io: bool = False
    ) -> torch.nn.Module:
        """Execute `source()`, and return an instance of its class. Without weights and seed, PyTorch's own generator draws the parameters.

        Raises `WeightsError` for weights that cannot be read or do not fit, and `CompileError` for a stage that PyTorch cannot express.
        """
        model = self.in_type(dtype, keep_io)
        with raise_as_compile_error(model.program), warn_about_weights(model.backend_input(weights, seed)) as inputs:
            return PYTORCH.module(inputs)

    def flax(
        self,
        weights: Weights | None = None,
        seed: int | None = None,
        *,
        dtype: object = None,
        keep_io: bool = False,
        scan_layers: bool = False,
    ) -> nnx.Module:
        """Execute `source("flax")`, and return an instance of its class, in training mode. Call `eval()` for evaluation.

        Without weights, the seed draws the parameters, as for `onnx`; it is 0 by default. With `scan_layers`, equal layers of a `repeat`
        are one `jax.lax.scan` with stacked parameters, so that the time to compile does not grow with their number.

        Raises `WeightsError` for weights that cannot be
        read or do not fit, and `CompileError` if a stage has no form in Flax, or if flax is not installed.
        """
        model = self.in_type(dtype, keep_io)
        with raise_as_compile_error(model.program), warn_about_weights(model.backend_input(weights, seed)) as inputs:
            return FLAX.module(replace(inputs, source_options=SourceOptions(scan_layers)))

    def mlx(self, weights: Weights | None = None, seed: int | None = None, *, dtype: object = None, keep_io: bool = False) -> nn.Module:
        """Execute `source("mlx")`, and return an instance of its class, in training mode. Call `eval()` for evaluation.

        Without weights, the seed draws the parameters, as for `onnx`; it is 0 by default. Raises `WeightsError` for weights that cannot be
        read or do not fit, and `CompileError` if a stage has no form in MLX, or if mlx is not installed.
        """
        model = self.in_type(dtype, keep_io)
        with raise_as_compile_error(model.program), warn_about_weights(model.backend_input(weights, seed)) as inputs:
            return MLX.module(inputs)

    def onnx(
        self,
        weights: Weights | None = None,
        seed: int | None = None,
        *,
        dtype: object = None,
        keep_io: bool = False,
        **options: Unpack[GraphKeywords],
    ) -> onnx.ModelProto:
        """Return the ONNX model. Without weights, the seed draws the parameters; it is 0 by default.

        `opset` is the version of the operators, 23 by default. With `optimize=False`, the graph follows the spec stage by stage, and its
        initializers are the unchanged parameters. `metadata` are additional texts by name. With `functions=True`, the model has an ONNX
        function for each block, which viewers show as one node to open.

        Raises `WeightsError` for weights that cannot be read or do not fit, and `CompileError` for a stage that ONNX cannot express.
        """
        model, graph_options = self.in_type(dtype, keep_io), check_graph_options(**options)
        with raise_as_compile_error(model.program), warn_about_weights(model.backend_input(weights, seed, graph_options)) as inputs:
            return ONNX.proto(inputs)

    def save(
        self,
        path: str | os.PathLike[str],
        weights: Weights | None = None,
        seed: int | None = None,
        *,
        dtype: object = None,
        keep_io: bool = False,
        quantize: str | None = None,
        calibration: str | os.PathLike[str] | Mapping[str, object] | None = None,
        **options: Unpack[GraphKeywords],
    ) -> QuantizationReport | None:
        """Write the format that the ending of the path names: ONNX for `.onnx`, PyTorch source for `.py`. The file is complete or
        unchanged.

        With `quantize`, `"int8"` or `"int4"`, the weights of an ONNX model become integers, and the method returns a report of the
        difference. For int8, `calibration` also fixes the scales of activations: arrays by the names of inputs, or an `.npz` file of them.
        The other options are as for `onnx`.

        Raises `OSError` if the file cannot be written, and `ValueError` for another ending, for weights or ONNX options with a source file,
        and for a model that cannot be quantized.
        """
        checked = check_path(path)
        backend = require_backend(checked)
        if weights is not None or seed is not None:
            refuse_weights(backend, "weights and seeds are")
        refuse_options(backend, options)
        inputs = self.in_type(dtype, keep_io).backend_input(weights, seed, check_graph_options(**options))
        if quantize is None and calibration is None:
            save_artifact(inputs, backend, checked)
            return None
        from .quantizing import check_target, checked_calibration, checked_method, save_quantized

        method, samples = checked_method(quantize), checked_calibration(calibration)
        check_target(backend, checked, method, samples is not None, inputs.options.functions)
        return save_quantized(inputs, checked, method, samples)

    def save_for(
        self,
        program: str,
        folder: str | os.PathLike[str],
        weights: Weights | None = None,
        seed: int | None = None,
        *,
        task: str | None = None,
        dtype: object = None,
    ) -> TransformersFolder:
        """Write a folder from which another program loads the model: `transformers`, whose `from_pretrained` takes the folder, as vLLM
        and SGLang do. Without weights, the parameters are drawn with `seed`.

        Args:
            program: `"transformers"`.
            folder: The folder, which must not exist.
            weights: A checkpoint, as for `onnx`.
            seed: The seed of parameters that the checkpoint lacks.
            task: `"causal-lm"` or `"masked-lm"`. By default, the inputs, the outputs and the attention decide.
            dtype: The element type of the weights.

        Returns:
            The files, and notes for users: texts without a full stop.

        Raises:
            ValueError: For another program, and for a model that transformers cannot take, with the reason.
            FileExistsError: If the folder exists.
            OSError: If the folder cannot be written.
        """
        if program != "transformers":
            raise ValueError(f"the program must be 'transformers', not {program!r}")
        from .streaming.special_tokens import read_special_tokens
        from .transformers_folder.save_folder import save_transformers_folder

        checkpoint = to_checkpoint(weights)
        special = read_special_tokens(() if checkpoint is None else checkpoint.paths)
        stored = self.in_type(dtype)
        # The source names no element type: `from_pretrained` chooses it.
        written = stored if stored._spec is None else stored.in_type("float32")
        given = stored.backend_input(checkpoint, 0 if checkpoint is None and seed is None else seed)
        return save_transformers_folder(written.program, given, check_path(folder), special, task)

    @overload
    def session(
        self,
        weights: Weights | None = None,
        seed: int | None = None,
        device: str = "cpu",
        *,
        runtime: None = None,
        dtype: object = None,
        keep_io: bool = False,
        **options: Unpack[WriterKeywords],
    ) -> OnnxSession: ...

    @overload
    def session(
        self,
        weights: Weights | None = None,
        seed: int | None = None,
        device: str = "cpu",
        *,
        runtime: str | None,
        dtype: object = None,
        keep_io: bool = False,
        **options: Unpack[WriterKeywords],
    ) -> OnnxSession | RuntimeSession: ...

    def session(
        self,
        weights: Weights | None = None,
        seed: int | None = None,
        device: str = "cpu",
        *,
        runtime: str | None = None,
        dtype: object = None,
        keep_io: bool = False,
        **options: Unpack[WriterKeywords],
    ) -> OnnxSession | RuntimeSession:
        """Load the ONNX model into ONNX Runtime, on `cpu` or `cuda`. Call the session with arrays by position or by input name.

        The options are as for `onnx`. With `runtime`, such as `"openvino"`, the model runs in that runtime, on the CPU. The session refuses
        sizes that a `where` of the spec excludes. Raises `ValueError` if the runtime is not installed, or cannot load the model.
        """
        from .runtimes.model_session import open_model_session

        model, graph_options = self.in_type(dtype, keep_io), check_graph_options(**options, runtime=runtime)
        with raise_as_compile_error(model.program), warn_about_weights(model.backend_input(weights, seed, graph_options)) as inputs:
            return open_model_session(inputs, device, runtime)

    def stream(self, dimension: str, lookahead: int = 0) -> ModelStream:
        """Return the model in a form that takes its inputs in pieces along a dimension, such as `"T"`. The pieces may have any length, and
        their outputs together are the outputs for the full input. With `lookahead`, a number of positions, the outputs come that much
        later, and `flush` returns the last ones. Raises `CompileError` at an operator that looks ahead further or cannot be computed piece
        by piece.
        """
        from .streaming.model_stream import ModelStream

        return ModelStream(self.program, dimension, self.weights, lookahead)

    def check_ranges(
        self,
        weights: Weights | None = None,
        seed: int | None = None,
        *,
        calibration: str | os.PathLike[str] | Mapping[str, object] | None = None,
    ) -> RangeReport:
        """Return how large the numbers of each stage become, and whether float16 holds them, as `netc check --range` does.

        The report has a bound that holds for all finite inputs where the weights allow one, and else the largest value on `calibration`:
        arrays by the names of inputs, or an `.npz` file of them. `str()` of the report is a table.

        Raises `WeightsError` for weights that cannot be read or do not fit, and `ValueError` for weights with NaN or infinities and for
        calibration data that does not fit.
        """
        from .proving.check_ranges import check_ranges
        from .quantizing import checked_calibration

        samples = checked_calibration(calibration)
        with warn_about_weights(self.backend_input(weights, seed)) as inputs:
            return check_ranges(self.program, inputs.open_arrays(), samples).report

    def list_stages(self) -> list[str]:
        """Return the paths of all stages, in the order of computation."""
        from netc.compiler.ir.flat_graph import FlatGraph

        return list(dict.fromkeys(item.path for item in FlatGraph(self.program.main).iterate_operators()))

    def keep_in_float32(self, stages: Iterable[str]) -> Model:
        """Return a float16 or bfloat16 model with some stages and their parameters in float32, as `netc compile --keep` does.

        `stages` are paths of stages or blocks, as in the state dict: `report.kept` of `check_ranges`, or `["layers.0.feed_forward"]`.
        Between two kept stages, tensors stay float32. Outputs keep their types. Raises `ValueError` for a path that is no stage, and for a
        model of another element type.
        """
        from .proving.kept_stages import keep_stages

        model = Model(keep_stages(self.program, stages), self.diagnostics, self._hash)
        model.weights = self.weights
        return model

    def backend_input(
        self, weights: Weights | None = None, seed: int | None = None, options: GraphOptions = DEFAULT_OPTIONS
    ) -> BackendInput:
        """Return the input of a backend. The arguments are checked now; weights are read or drawn when a backend needs them."""
        if weights is None and seed is None:
            weights = self.weights
        return make_backend_input(self.program, weights, seed, self._hash, options, self._spec)

    def training(
        self,
        section: str | None = None,
        weights: Weights | None = None,
        seed: int | None = None,
        *,
        model: torch.nn.Module | None = None,
        params: Mapping[str, object] | None = None,
    ) -> Objective:
        """Return the objective of a train section, with this model in it: `loss, metrics = objective(inputs)`.

        `section` selects one of several sections. By default it is the file's only section, or the section with the model's name. `weights`
        and `seed` are as for `module`, and have the same names: `objective.model` is the module to train. With `model`, the parameters are
        shared with a module that has the same names, such as the `model` of another objective. `params` sets parameters of the section.

        Raises `CompileError` for a wrong or missing section, and `ValueError` for a section of another model, for a `model` with other
        names, and for `weights` or a `seed` together with a `model`.
        """
        from .training.objective import make_objective

        if model is not None and (weights is not None or seed is not None):
            raise ValueError("`model` has its parameters: leave out `weights` and `seed`")
        name = check_name(section, "section")
        spec = self._require_spec()
        training = spec.elaborate_training(name, check_params(params))
        if spec.choice.model not in (None, training.model):
            raise ValueError(f"the section `{training.name}` trains `{training.model}`, and this is `{spec.choice.model}`")
        return make_objective(training, weights, seed, model)

    def _require_spec(self) -> Spec:
        """Return the spec, which has the train sections. Raises `ValueError` for a model that was made from a program."""
        if self._spec is None:
            raise ValueError("this model was made of a program, not of a spec: it has no train section")
        return self._spec

    def summary(self, *, dtype: object = None, keep_io: bool = False) -> SpecSummary:
        """Return the stages with their shapes, parameters, FLOPs and bytes. `str()` of the summary is a table."""
        from .display.model_summary import summarize_program

        return summarize_program(self.in_type(dtype, keep_io).program)

    def draw(self, path: str | os.PathLike[str], *, depth: int | None = None, at: str = "", theme: str = "auto") -> None:
        """Draw the graph to a file, `.svg`, `.html`, `.png`, `.mmd` or `.dot`, as `netc draw` does.

        `depth` is the number of nested levels of blocks to open. `at` is the path of a stage, whose inside is drawn. `theme` is `auto`,
        `light` or `dark`. Raises `ValueError` for another ending or theme and for a stage that does not exist, `CannotDraw` for a PNG
        without resvg-py, and `OSError` if the file cannot be written.
        """
        from .drawing.picture_files import render_picture

        checked = check_path(path)
        if depth is not None and depth < 0:
            raise ValueError(f"`depth` must be at least 0, not {depth}")
        write_bytes(checked, render_picture(self.program, checked, depth=depth, at=at, theme=theme))

    def _repr_html_(self) -> str:
        """Return the HTML that notebooks show."""
        from .display.model_html import render_program

        return render_program(self.program)

    def __repr__(self) -> str:
        def shown(types: Mapping[str, TensorType]) -> str:
            return ", ".join(f"{name}: {type}" for name, type in types.items())

        return f"<netc.Model {self.name}({shown(self.inputs)}) -> {shown(self.outputs)}>"
