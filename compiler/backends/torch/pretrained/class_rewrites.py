"""Rewrite the classes of a network for transformers: labels, attention, and the first values of parameters.

In: the classes that `--target torch` writes. Out: the same classes, changed in place, or new code of a member. Always: the keys of the
state dict stay. A label that a model of transformers cannot have raises `NotPretrained`.

For example, `nn.Parameter(torch.randn(8))` becomes `nn.Parameter(torch.empty(8))` and a call of `nn.init.normal_`.
"""

from __future__ import annotations

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward, walk_tree

from ...python.code.class_tree import Argument, InitializedCode, NameCode, NewModule
from ...python.code.classes import ClassBody, ClassDef, ClassRef
from ...python.code.python_expressions import CallCode, Code, Infix, KeywordCode, Lit, TupleCode
from .config_names import MODEL_NAMES
from .interface_operators import FRAMEWORK
from .pretrained_program import NotPretrained

ATTENTION = "AttentionFunction"


def refuse_labels(cls: ClassDef) -> None:
    """Refuse labels that cannot be attributes of a model. They are keys of the weights, so they cannot be changed."""
    for label in (member.label.split(".")[0] for member in cls.body.members):
        if label in MODEL_NAMES or label in FRAMEWORK.attributes or label.startswith("_"):
            raise NotPretrained(f"its models have an attribute `{label}` already, or may have: choose another label for the stage", label)
        if not FRAMEWORK.is_attribute_name(label):
            raise NotPretrained(f"the label `{label}` is no name of an attribute in Python: choose another", label)


def has_attention(cls: ClassDef) -> bool:
    """Whether a class or one of the classes in it has attention by the interface of transformers."""
    codes = [part for code in cls.body.list_constructor_code() for part in walk_tree(code)]
    return any(
        (isinstance(p, CallCode) and p.function == ATTENTION) or (isinstance(p, ClassRef) and p.cls is not cls and has_attention(p.cls))
        for p in codes
    )


def rename_attention(body: ClassBody) -> None:
    """Rename `attention1`, the label of a stage without a name, to `attention` where that is free."""
    labels = {m.label for m in body.members}
    for member in body.members:
        match member.code:
            case CallCode("AttentionFunction") if member.label == "attention1" and "attention" not in labels:
                old = member.label
                body.members = [replace(m, label="attention") if m.label == old else m for m in body.members]

                def change(part: Code, old: str = old) -> Code | None:
                    return replace(part, label="attention") if getattr(part, "label", None) == old else None

                body.rewrite_code(change)


def open_vocabulary(code: Code, size: int) -> Code:
    """Return the code of an embedding or a dense layer with the size of the vocabulary from the configuration."""

    def change(part: Code) -> Code | None:
        match part:
            case CallCode("nn.Embedding" as function, (Lit(number), other), keywords) if number == size:
                return CallCode(function, (NameCode("config.vocab_size"), other), keywords)
            case CallCode("nn.Linear" as function, (other, Lit(number)), keywords) if number == size:
                return CallCode(function, (other, NameCode("config.vocab_size")), keywords)
        return None

    return rewrite_downward(code, change)


def draw_later(code: Code) -> Code:
    """Return the code of a parameter with its first values drawn by a statement of their own, as the parameters of modules are."""
    match code:
        case CallCode(str() as function, sizes, keywords) if function in ("torch.zeros", "torch.ones"):
            kind = function.removeprefix("torch.")
            return _make_drawn(sizes, keywords, CallCode(f"nn.init.{kind}_", (NewModule(),)))
        case CallCode("torch.full", (TupleCode(sizes), value), keywords):
            return _make_drawn(sizes, keywords, CallCode("nn.init.constant_", (NewModule(), value)))
        case CallCode("torch.randn", sizes, keywords):
            return _make_drawn(sizes, keywords, CallCode("nn.init.normal_", (NewModule(),)))
        case Infix("*", CallCode("torch.randn", sizes, keywords), std):
            return _make_drawn(sizes, keywords, CallCode("nn.init.normal_", (NewModule(),), (KeywordCode("std", std),)))
        case CallCode(str() as function, (CallCode("torch.empty") as empty, *others), keywords) if function.startswith("nn.init."):
            return InitializedCode(empty, (CallCode(function, (NewModule(), *others), keywords),))
    return code


def _make_drawn(sizes: tuple[Code, ...], keywords: tuple[KeywordCode, ...], draw: Code) -> Code:
    return InitializedCode(CallCode("torch.empty", sizes, keywords), (draw,))


def keep_drawn_arguments(cls: ClassDef) -> None:
    """Let the constructor keep the arguments with which parameters are drawn: another method draws them."""
    drawn = {
        inner.name
        for member in cls.body.members
        for part in walk_tree(member.code)
        if isinstance(part, InitializedCode)
        for call in part.calls
        for inner in walk_tree(call)
        if isinstance(inner, Argument)
    }
    cls.parameters = [replace(p, stored=True) if p.name in drawn else p for p in cls.parameters]
