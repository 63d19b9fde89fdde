"""Write the modeling file: the classes of a network, of which the last ones are `PreTrainedModel`s.

In: a `PretrainedProgram`, and the task that says how the model is called. Out: the text of the file, and the fields of its configuration.
Always: the keys of the state dict are the program's. Blocks become the classes that `--target torch` writes; the base model and the model
with the head read their sizes from the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from netc.dsl.record import Record, replace

from ....analysis.state_dict import collect_parameters
from ....types.traced_ints import has_origin, strip_formulas
from ...python.classes.channel_axes import ChannelAxes
from ...python.classes.remarks import extract_remark
from ...python.code.class_tree import Argument, ListCode, NameCode, RepeatStar, ValueRef
from ...python.code.classes import ClassBody, ClassDef, ClassRef, Step, StepInfo
from ...python.code.python_expressions import CallCode, Code, KeywordCode, Lit
from ...python.constructor.constructor_method import write_constructor
from ...python.constructor.draw_parameters import write_rules
from ...python.constructor.member_access import MemberAccess
from ...python.forward.method import write_forward
from ...python.printing.line_layout import STEP, WIDTH
from ...python.printing.spec_comments import escape_docstring
from ...python.python_source import SourceWriter, write_class
from .class_rewrites import draw_later, has_attention, keep_drawn_arguments, open_vocabulary, refuse_labels, rename_attention
from .config_arguments import bind_arguments, substitute_arguments
from .config_names import CONFIG_NAMES
from .interface_operators import FRAMEWORK, PRETRAINED
from .model_templates import PretrainedTask, write_base_classes, write_base_start, write_embedding_access, write_head_start
from .pretrained_program import PretrainedProgram

LAYER = "GradientCheckpointingLayer"


class ModelFile(Record):
    """The modeling file of a network. `prefix` begins the names of its classes. `fields` are the parameters of the network with their
    values. `aliases` has the names that transformers has for some of them, `sizes` further numbers that it asks a configuration for."""

    text: str
    prefix: str
    fields: Mapping[str, Any]
    aliases: Mapping[str, str]
    sizes: Mapping[str, Any]
    has_base: bool
    labels: int = 0


class ModelWriter(SourceWriter):
    """Writes the classes of one network."""

    def __init__(self) -> None:
        super().__init__(FRAMEWORK, PRETRAINED)

    def write_model(self, pretrained: PretrainedProgram, name: str, task: PretrainedTask, module: str) -> ModelFile:
        """Write the file. `module` is the name of the file with the configuration, without its ending. Raises `NotPretrained` if a part
        has a label that a model of transformers cannot have."""
        program = pretrained.program
        with self._lower_program(program) as main:
            classes = self._build_classes(main, program, name)
            channels = ChannelAxes(main, [graph for cls in classes for graph in cls.graphs])
            parts = _ModelClasses(classes, pretrained, task)
            texts = parts.write_texts(channels, collect_ties(pretrained))
        text = "\n\n\n".join([*self._list_definitions(classes), *texts])
        written = self.write_file(program, name, text, tuple(self._list_plugin_modules(program)), task.list_imports(text))
        # the import of a file of the same folder is the last, as isort orders them
        written = written.replace("\n\n\n", f"\n\nfrom .{module} import {parts.prefix}Config\n\n\n", 1)
        return ModelFile(written, parts.prefix, parts.fields, *parts.find_sizes(), parts.base is not None, parts.labels)


def collect_ties(pretrained: PretrainedProgram) -> dict[str, str]:
    """Collect the tied parameters by key, each with the key of the parameter that it is."""
    return {name: info.tied_to for name, info in collect_parameters(pretrained.program).items() if info.tied_to is not None}


class _ModelClasses:
    """The classes of a network, in the form of transformers."""

    def __init__(self, classes: Sequence[ClassDef], pretrained: PretrainedProgram, task: PretrainedTask) -> None:
        self.classes, self.pretrained, self.task = classes, pretrained, task
        self.main = classes[-1]
        self.prefix = self.main.name
        self.base = self._find_base()
        if self.base is None:
            # a base model that is a row of modules stays one: the head is then part of the only model
            self.pretrained = replace(pretrained, base=None)
        for cls in (self.main, *([] if self.base is None else [self.base])):
            refuse_labels(cls)
        names = {p.name: f"{p.name}_" if p.name in CONFIG_NAMES else p.name for p in self.main.parameters}
        self.fields = {names[p.name]: strip_formulas(p.default) for p in self.main.parameters}
        self.read: dict[str, Code] = {name: Argument(f"config.{field}") for name, field in names.items()}
        self.labels = 0
        if not task.takes_tokens:
            self._read_labels()
        elif not self._find_field(pretrained.vocabulary):
            self._read_vocabulary()
        self.layer_class = self._mark_layers()
        for cls in classes:
            rename_attention(cls.body)
            cls.body.members = [replace(m, code=draw_later(m.code)) if m.kind == "parameter" else m for m in cls.body.members]
            keep_drawn_arguments(cls)

    def _find_base(self) -> ClassDef | None:
        call = self.pretrained.base
        if call is None:
            return None
        (member,) = [m for m in self.main.body.members if m.label == call.label]
        match member.code:
            case CallCode(ClassRef(cls)) if cls.body.chain is None and (self.task.takes_tokens or not cls.body.keyed):
                return cls
        return None

    def _read_labels(self) -> None:
        """Let the head have as many scores as the configuration has labels."""
        count = self.main.body.graph.outputs[0].type.shape[-1]
        self.labels = int(strip_formulas(count))
        field = self._find_field(count)
        if field:
            self.fields.pop(field)
            self.read[field] = Argument("config.num_labels")

    def _read_vocabulary(self) -> None:
        """Read the size of the vocabulary from the configuration, where the spec has a plain number: it can then be resized."""
        size = int(strip_formulas(self.pretrained.vocabulary))
        last = self.main.body.members[-1]
        for body in {id(c.body): c.body for c in (self.main, self.base) if c is not None}.values():
            for index, member in enumerate(body.members):
                is_table = self.pretrained.embedding.split(".")[-1] == member.label
                if is_table or member is last:
                    body.members[index] = replace(member, code=open_vocabulary(member.code, size))

    def _mark_layers(self) -> str:
        """Let the layers of the network support gradient checkpointing. Return the name of their class."""
        for member in (member for cls in self.classes for member in cls.body.members):
            match member.code:
                case CallCode(_, (ListCode(items),)):
                    for item in items:
                        match item.item if isinstance(item, RepeatStar) else item:
                            case CallCode(ClassRef(cls)) if has_attention(cls):
                                containers = FRAMEWORK.containers
                                container = containers.list_class if cls.body.is_list else containers.dict_class
                                cls.body.base_class = f"{LAYER}, {container}" if cls.body.keyed else LAYER
                                return cls.name
        return ""

    def find_sizes(self) -> tuple[dict[str, str], dict[str, Any]]:
        """Find the sizes that transformers asks a configuration for: parameters of the network under its names, and other numbers."""
        sizes = self._list_token_sizes() if self.task.takes_tokens else self._list_image_sizes()
        sizes |= self._list_attention_sizes()
        texts = {name: self._find_field(size) for name, size in sizes.items()}
        aliases = {name: text for name, text in texts.items() if text in self.fields and text != name}
        known = {"head_dim"} if sizes.get("hidden_size") == sizes.get("num_attention_heads", 0) * sizes.get("head_dim", 0) else set()
        rest = {
            name: strip_formulas(size)
            for name, size in sizes.items()
            if size is not None and texts[name] not in self.fields and name not in known
        }
        return aliases, rest

    def _find_field(self, size: Any) -> str:
        """Find the field of the configuration that a size is. Empty if it is none."""
        text = self.main.format_size([size]) if has_origin(size) else ""
        return text if text in self.fields else ""

    def _list_token_sizes(self) -> dict[str, Any]:
        return {"vocab_size": self.pretrained.vocabulary, "hidden_size": self.pretrained.width}

    def _list_image_sizes(self) -> dict[str, Any]:
        shape = self.main.body.graph.inputs[0].type.shape
        sizes = {"num_channels": shape[1], "image_size": shape[-1]}
        if self.pretrained.base is not None and self.pretrained.base.outputs[0].type.rank == 3:
            sizes["hidden_size"] = self.pretrained.base.outputs[0].type.shape[-1]
        return {name: size for name, size in sizes.items() if isinstance(size, int)}

    def _list_attention_sizes(self) -> dict[str, Any]:
        layers = self.pretrained.attentions
        if not layers:
            return {}
        first, windows = layers[0], {layer.window for layer in layers}
        return {
            "num_hidden_layers": first.repeated if first.repeated == len(layers) else len(layers),
            "num_attention_heads": first.heads,
            "num_key_value_heads": first.key_heads if self.task.is_causal else None,
            "head_dim": first.head_size,
            "sliding_window": windows.pop() if len(windows) == 1 else None,
        }

    def write_texts(self, channels: ChannelAxes, ties: Mapping[str, str]) -> list[str]:
        inner = [c for c in self.classes if c is not self.main and c is not self.base]
        texts = ["\n".join(write_class(c, channels)) for c in inner]
        texts.append(write_base_classes(self.pretrained, self.task, self.prefix, self.layer_class, self._write_rules()))
        read = self.read
        if self.base is not None:
            texts.append(self._write_base(self.base, self._read_base_arguments(read)))
        texts.append(self._write_main(read, ties))
        return texts

    def _write_rules(self) -> list[str]:
        rules = write_rules(self.main.body.rules, set(), FRAMEWORK)
        return [line.removeprefix(STEP) for line in rules[1:]]

    def _read_base_arguments(self, read: Mapping[str, Code]) -> dict[str, Code]:
        """Return the arguments of the base model's class, as fields of the configuration."""
        assert self.base is not None
        assert self.pretrained.base is not None
        label = self.pretrained.base.label
        (call,) = [m.code for m in self.main.body.members if m.label == label]
        assert isinstance(call, CallCode)
        given = dict(zip((p.name for p in self.base.parameters), call.args, strict=False))
        given |= {keyword.name: keyword.value for keyword in call.kwargs}
        arguments = {p.name: given.get(p.name, Lit(p.default)) for p in self.base.parameters}
        return {name: substitute_arguments(code, read) for name, code in arguments.items()}

    def _write_base(self, cls: ClassDef, arguments: Mapping[str, Code]) -> str:
        body = cls.body
        name = f"{self.prefix}Model"
        lines = [f"class {name}({self.prefix}PreTrainedModel):", *_write_remark(cls, "The network without its head."), ""]
        lines += self._write_constructor(cls, arguments, numbers_layers=True)
        (result,) = body.outputs
        keywords = [KeywordCode("last_hidden_state", result)]
        keywords += [KeywordCode("cache", NameCode("cache"))] if self.task.has_cache else []
        body.outputs = (CallCode(self.task.base_output, (), tuple(keywords)),)
        lines += ["", *write_embedding_access(self.pretrained, is_base=True)]
        lines += [*write_base_start(self.pretrained, self.task), *_write_statements(cls, arguments)]
        return "\n".join(lines)

    def _write_main(self, read: Mapping[str, Code], ties: Mapping[str, str]) -> str:
        cls, body = self.main, self.main.body
        bases = [f"{self.prefix}PreTrainedModel", *self.task.mixins]
        lines = [
            f"class {self.prefix}{self.task.suffix}({', '.join(bases)}):",
            *_write_remark(cls, f"The network with {self.task.head}."),
            "",
        ]
        if ties:
            pairs = ", ".join(f'"{name}": "{tied}"' for name, tied in ties.items())
            lines += [f"{STEP}_tied_weights_keys = {{{pairs}}}", ""]
        if self.base is not None and self.pretrained.base is not None:
            label = self.pretrained.base.label
            created = CallCode(f"{self.prefix}Model", (NameCode("config"),))
            body.members = [replace(m, code=created) if m.label == label else m for m in body.members]
            self._replace_base_call(body)
        lines += self._write_constructor(cls, read, numbers_layers=self.base is None)
        self._return_output(body)
        start = (
            write_head_start(self.pretrained, self.task)
            if self.base is not None
            else write_base_start(self.pretrained, self.task, head=True)
        )
        access = write_embedding_access(self.pretrained, is_base=False)
        return "\n".join([*lines, "", *access, *start, *_write_statements(cls, read)])

    def _replace_base_call(self, body: ClassBody) -> None:
        """Take the result of the base model from the variable that the head begins with."""
        assert self.pretrained.base is not None
        label = self.pretrained.base.label
        for index, step in enumerate(body.steps):
            if isinstance(step.code, CallCode) and getattr(step.code.function, "label", None) == label:
                body.steps[index] = replace(step, code=NameCode("hidden_states"))
                body.names[step.outputs[0]] = "hidden_states"

    def _return_output(self, body: ClassBody) -> None:
        """Compute the loss, and return the output of the task."""
        (result,) = body.outputs
        if self.task.has_cache and self.base is None:
            result = CallCode("slice_logits_to_keep", (result, NameCode("logits_to_keep")))
        logits = self._add_step(body, "logits", result)
        loss = self._add_step(body, "loss", self.task.compute_loss(logits))
        body.outputs = (self.task.make_output(loss, logits, self.base is not None),)

    def _add_step(self, body: ClassBody, name: str, code: Code) -> ValueRef:
        body.names.append(name)
        body.roles.append("")
        body.steps.append(Step(code, (len(body.names) - 1,), StepInfo(name)))
        return ValueRef(len(body.names) - 1)

    def _write_constructor(self, cls: ClassDef, arguments: Mapping[str, Code], numbers_layers: bool) -> list[str]:
        """Write the constructor, which takes the configuration."""
        bound = bind_arguments(cls, arguments, "")
        bound.body.ties, bound.body.rules = [], ()
        constructor = write_constructor(bound, {}, {})
        constructor[0] = f"{STEP}def __init__(self, config: {self.prefix}Config) -> None:"
        constructor[1] = f"{STEP * 2}super().__init__(config)"
        end = constructor.index("") if "" in constructor else len(constructor)
        last = [f"{STEP * 2}self.number_attention_layers()"] if numbers_layers and self.pretrained.attentions else []
        return [*constructor[:end], *last, f"{STEP * 2}self.post_init()", *constructor[end:]]


def _write_statements(cls: ClassDef, arguments: Mapping[str, Code]) -> Iterator[str]:
    """Write the statements of `forward`, without its signature."""
    bound = bind_arguments(cls, arguments, "self.")
    bound.body.outputs = tuple(cls.body.outputs)
    lines = write_forward(bound.body, {}, MemberAccess(bound.body).format_access)
    start = next(index for index, line in enumerate(lines) if line.endswith(":") and not line.startswith(STEP * 2))
    yield from lines[start + 1 :]


def _write_remark(cls: ClassDef, otherwise: str) -> list[str]:
    """Write the comment above the block as a docstring."""
    remark = extract_remark(cls.graphs[0], frozenset()) or otherwise
    lines = escape_docstring(wrap(remark, WIDTH - len(STEP) - 6))
    return (
        [f'{STEP}"""{lines[0]}', *(f"{STEP}{line}" for line in lines[1:]), f'{STEP}"""'] if len(lines) > 1 else [f'{STEP}"""{lines[0]}"""']
    )
