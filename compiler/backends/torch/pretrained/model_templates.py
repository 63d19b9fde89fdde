"""The parts of a modeling file that are the same for all networks of a task: signatures, masks, caches, losses and outputs.

In: a `PretrainedProgram` and its task. Out: lines of Python. Always: the arguments and outputs are the ones of the models that transformers
has for the task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from netc.dsl.record import Record

from ...python.code.class_tree import IfElse, NameCode
from ...python.code.python_expressions import CallCode, Code, KeywordCode
from ...python.identifiers import make_unique
from ...python.printing.line_layout import STEP
from .pretrained_program import PretrainedProgram

_IMPORTS = (
    ("Cache", "transformers"),
    ("DynamicCache", "transformers"),
    ("GenerationMixin", "transformers"),
    ("PreTrainedConfig", "transformers"),
    ("PreTrainedModel", "transformers"),
    ("create_bidirectional_mask", "transformers.masking_utils"),
    ("create_causal_mask", "transformers.masking_utils"),
    ("create_sliding_window_causal_mask", "transformers.masking_utils"),
    ("GradientCheckpointingLayer", "transformers.modeling_layers"),
    ("BaseModelOutput", "transformers.modeling_outputs"),
    ("BaseModelOutputWithPast", "transformers.modeling_outputs"),
    ("CausalLMOutputWithPast", "transformers.modeling_outputs"),
    ("ImageClassifierOutput", "transformers.modeling_outputs"),
    ("MaskedLMOutput", "transformers.modeling_outputs"),
    ("ALL_ATTENTION_FUNCTIONS", "transformers.modeling_utils"),
    ("slice_logits_to_keep", "transformers.modeling_utils"),
    ("Unpack", "transformers.processing_utils"),
    ("TransformersKwargs", "transformers.utils"),
    ("can_return_tuple", "transformers.utils"),
    ("deprecate_kwarg", "transformers.utils.deprecation"),
    ("merge_with_config_defaults", "transformers.utils.generic"),
    ("capture_outputs", "transformers.utils.output_capturing"),
)
"""The names that modeling files use, with the modules that they are imported from."""


class PretrainedTask(Record):
    """A task of transformers. `suffix` ends the class's name, after which its `auto_class` is named. `output` and `base_output` are the
    classes of outputs. `is_causal`: tokens see the ones before them, so there is a cache."""

    name: str
    suffix: str
    output: str
    base_output: str
    head: str
    is_causal: bool
    takes_tokens: bool = True
    mixins: tuple[str, ...] = ()

    @property
    def auto_class(self) -> str:
        return f"AutoModel{self.suffix}"

    @property
    def has_cache(self) -> bool:
        return self.is_causal

    def list_imports(self, text: str) -> list[str]:
        """List the imports of a file with this text."""
        used: dict[str, list[str]] = {}
        for name, module in _IMPORTS:
            if re.search(rf"\b{name}\b", text):
                used.setdefault(module, []).append(name)
        return [f"from {module} import {', '.join(names)}" for module, names in used.items()]

    def compute_loss(self, logits: Code) -> Code:
        """The loss of the task, if there are labels."""
        if not self.takes_tokens:
            loss = CallCode("self.loss_function", (NameCode("labels"), logits, NameCode("self.config"), NameCode("**kwargs")))
            return IfElse(NameCode("labels is not None"), loss, NameCode("None"))
        others = (NameCode(name) for name in ("labels", "self.config.vocab_size", "**kwargs"))
        loss = CallCode("self.loss_function", (logits, *others))
        return IfElse(NameCode("labels is not None"), loss, NameCode("None"))

    def make_output(self, loss: Code, logits: Code, has_base: bool) -> Code:
        keywords = [KeywordCode("loss", loss), KeywordCode("logits", logits)]
        if self.has_cache:
            keywords.append(KeywordCode("cache", NameCode("outputs.cache" if has_base else "cache")))
        if has_base:
            keywords += [KeywordCode(name, NameCode(f"outputs.{name}")) for name in ("hidden_states", "attentions")]
        return CallCode(self.output, (), tuple(keywords))


CAUSAL_LM = PretrainedTask(
    "causal-lm",
    "ForCausalLM",
    "CausalLMOutputWithPast",
    "BaseModelOutputWithPast",
    "the scores of the next token",
    is_causal=True,
    mixins=("GenerationMixin",),
)
MASKED_LM = PretrainedTask("masked-lm", "ForMaskedLM", "MaskedLMOutput", "BaseModelOutput", "the scores of masked tokens", is_causal=False)

IMAGE_CLASSIFICATION = PretrainedTask(
    "image-classification",
    "ForImageClassification",
    "ImageClassifierOutput",
    "BaseModelOutput",
    "a score for each class",
    is_causal=False,
    takes_tokens=False,
)

_ARGUMENTS = {
    "pixel_values": "torch.FloatTensor",
    "input_ids": "torch.LongTensor | None = None",
    "attention_mask": "Tensor | None = None",
    "token_type_ids": "torch.LongTensor | None = None",
    "position_ids": "torch.LongTensor | None = None",
    "cache": "Cache | None = None",
    "inputs_embeds": "torch.FloatTensor | None = None",
    "labels": "torch.LongTensor | None = None",
    "use_cache": "bool | None = None",
    "logits_to_keep": "int | Tensor = 0",
}


def _list_arguments(pretrained: PretrainedProgram, task: PretrainedTask, has_labels: bool) -> list[str]:
    if not task.takes_tokens:
        return ["pixel_values", *(["labels"] if has_labels else [])]
    left_out = {"pixel_values"} | (set() if task.has_cache else {"cache", "use_cache", "logits_to_keep"})
    left_out |= set() if has_labels else {"labels", "logits_to_keep"}
    left_out |= set() if pretrained.segments else {"token_type_ids"}
    return [name for name in _ARGUMENTS if name not in left_out]


def _write_signature(
    pretrained: PretrainedProgram, task: PretrainedTask, decorators: Sequence[str], has_labels: bool, output: str
) -> list[str]:
    names = _list_arguments(pretrained, task, has_labels)
    bc = ['@deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")'] if task.has_cache else []
    return [
        *(STEP + line for line in (*bc, *decorators)),
        f"{STEP}def forward(",
        f"{STEP * 2}self,",
        *(f"{STEP * 2}{name}: {_ARGUMENTS[name]}," for name in names),
        f"{STEP * 2}**kwargs: Unpack[TransformersKwargs],",
        f"{STEP}) -> {output}:",
    ]


def write_base_start(pretrained: PretrainedProgram, task: PretrainedTask, head: bool = False) -> list[str]:
    """Write the signature of the base model's `forward`, and the statements before its layers."""
    output = task.output if head else task.base_output
    lines = _write_signature(pretrained, task, ("@merge_with_config_defaults", "@capture_outputs"), head, output)
    if not task.takes_tokens:
        return lines
    body = [
        "if (input_ids is None) == (inputs_embeds is None):",
        '    raise ValueError("give either input_ids or inputs_embeds")',
        "if inputs_embeds is None:",
        "    inputs_embeds = self.get_input_embeddings()(input_ids)",
    ]
    if task.has_cache:
        body += ["if use_cache and cache is None:", "    cache = DynamicCache(config=self.config)"]
    body += ["if position_ids is None:"]
    if task.has_cache:
        body += ["    past = 0 if cache is None else cache.get_seq_length()"]
        body += ["    position_ids = torch.arange(inputs_embeds.shape[1], device=inputs_embeds.device)[None] + past"]
    else:
        body += ["    position_ids = torch.arange(inputs_embeds.shape[1], device=inputs_embeds.device)[None]"]
    if pretrained.segments:
        body += ["if token_type_ids is None:", "    token_type_ids = torch.zeros_like(inputs_embeds[..., 0], dtype=torch.long)"]
    body += _write_mask(pretrained, task)
    return [*lines, *(f"{STEP * 2}{line}" for line in body)]


def _write_mask(pretrained: PretrainedProgram, task: PretrainedTask) -> list[str]:
    windows = {layer.window for layer in pretrained.attentions}
    arguments = ["config=self.config", "inputs_embeds=inputs_embeds", "attention_mask=attention_mask"]
    arguments += ["cache=cache", "position_ids=position_ids"] if task.has_cache else []
    function = "create_bidirectional_mask"
    if task.is_causal:
        function = "create_causal_mask" if windows == {None} else "create_sliding_window_causal_mask"
    lines = [f"mask = {function}(", *(f"    {argument}," for argument in arguments), ")"]
    cache = ["cache=cache"] if task.has_cache else []
    return [*lines, f"kwargs.update({', '.join(['attention_mask=mask', *cache, 'position_ids=position_ids'])})"]


def write_head_start(pretrained: PretrainedProgram, task: PretrainedTask) -> list[str]:
    """Write the signature of the `forward` of a model with a head, and the call of its base model."""
    assert pretrained.base is not None
    lines = _write_signature(pretrained, task, ("@can_return_tuple",), True, task.output)
    names = _list_arguments(pretrained, task, has_labels=False)
    result = "slice_logits_to_keep(outputs.last_hidden_state, logits_to_keep)" if task.has_cache else "outputs.last_hidden_state"
    body = [
        f"outputs = self.{pretrained.base.label}(",
        *(f"    {name}={name}," for name in names),
        "    **kwargs,",
        ")",
        f"hidden_states = {result}",
    ]
    return [*lines, *(f"{STEP * 2}{line}" for line in body)]


def write_embedding_access(pretrained: PretrainedProgram, is_base: bool) -> list[str]:
    """Write how transformers reaches the embedding of tokens, or the layer that computes the scores, where their places are unusual."""
    base = "" if pretrained.base is None else f"{pretrained.base.label}."
    embedding = pretrained.embedding.removeprefix(base)
    lines: list[str] = []
    if "." in embedding and (is_base or not base):
        lines += _write_access("input", embedding)
    if not is_base and pretrained.scores not in ("", "lm_head"):
        lines += _write_access("output", pretrained.scores)
    return lines


def _write_access(what: str, path: str) -> list[str]:
    return [
        f"    def get_{what}_embeddings(self) -> nn.Module:",
        f'        return self.get_submodule("{path}")',
        "",
        f"    def set_{what}_embeddings(self, value: nn.Module) -> None:",
        f'        self.set_submodule("{path}", value)',
        "",
    ]


def _choose_free_name(pretrained: PretrainedProgram) -> str:
    """Choose a prefix that no key has, for a model without a base model: transformers takes an empty one for the first letter of keys."""
    taken = {node.label.split(".")[0] for node in pretrained.program.main.nodes}
    return make_unique("model", taken)


def write_base_classes(pretrained: PretrainedProgram, task: PretrainedTask, prefix: str, layer: str, rules: Sequence[str]) -> str:
    """Write the base class of the network's models."""
    base = "" if pretrained.base is None else pretrained.base.label
    embedding = pretrained.embedding.removeprefix(f"{base}.") if base else pretrained.embedding
    records = [f'"hidden_states": {layer}'] if layer else []
    records += ['"attentions": AttentionFunction'] if pretrained.attentions else []
    attention = ["sdpa", "flash_attn", "flex_attn", "attention_backend"] if pretrained.attentions else []
    lines = [
        f"class {prefix}PreTrainedModel(PreTrainedModel):",
        '    """What the models of the network have in common."""',
        "",
        f"    config: {prefix}Config",
        f'    base_model_prefix = "{base or _choose_free_name(pretrained)}"',
        *(["    supports_gradient_checkpointing = True", f'    _no_split_modules = ["{layer}"]'] if layer else []),
        *([] if task.takes_tokens else ['    main_input_name = "pixel_values"']),
        *(f"    _supports_{name} = True" for name in attention),
        "    _can_compile_fullgraph = True",
        f"    _can_record_outputs = {{{', '.join(records)}}}",
        *([f'    _input_embed_layer = "{embedding}"'] if embedding and "." not in embedding else []),
        "",
        "    def _init_weights(self, module: nn.Module) -> None:",
        '        if hasattr(module, "reset_parameters"):',
        "            module.reset_parameters()",
        *rules,
    ]
    if not pretrained.attentions:
        return "\n".join(lines)
    lines += [
        "",
        "    def number_attention_layers(self) -> None:",
        '        """Tell each attention its place in the cache, and the configuration with the implementation."""',
        "        layers = (module for module in self.modules() if isinstance(module, AttentionFunction))",
        "        for index, module in enumerate(layers):",
        "            module.config, module.layer_idx = self.config, index",
    ]
    return "\n".join(lines)
