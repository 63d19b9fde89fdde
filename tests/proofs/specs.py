"""Specs of packing and padding bugs, each with the stage that leaks, and with a correct version.

The bugs are those that users report again and again: packed documents that see each other (axolotl 1375, trl 1230, torchtune 875,
LlamaFactory 4224), recurrent states that run on across documents (mamba 180), masks that an encoder ignores (IndicBERT 20, transformers
278), and means over padding (transformers 17463). The specs are written for these tests.
"""

from __future__ import annotations

from netc.compiler.proofs import Claim
from netc.dsl.record import Record

PACKED = "x = input [T, 8]\ndocuments = input [T] int64\nsame = (documents -> unsqueeze 1) == (documents -> unsqueeze 2)\n"
PADDED = "x = input [T, 8]\nmask = input [T] bool\n"
FLOATS = "m = mask -> unsqueeze 2 -> cast float32\n"
SEPARATES, IGNORES = Claim("separates", "documents"), Claim("ignores", "mask")


class Bug(Record):
    """`wrong` leaks at the operator `at`, and `right` does not. `always`: whether random changes are certain to show the leak."""

    name: str
    claim: Claim
    wrong: str
    at: str
    right: str


PACKING = (
    Bug(
        "attention sees all documents",
        SEPARATES,
        PACKED + "y = (x, x, x) -> attention causal=true\ny * (same -> cast float32 -> sum axis=2 keepdim=true)",
        "attention",
        PACKED + "causal = table (i, j) [T, T] bool = j <= i\n(x, x, x, (same, causal) -> logical_and) -> attention",
    ),
    Bug(
        "the mask hides padding only",
        SEPARATES,
        PACKED.splitlines()[0] + "\ndocuments = input [T] int64\n(x, x, x, (documents != 0) -> unsqueeze 1) -> attention",
        "attention",
        PACKED + "(x, x, x, (same, (documents != 0) -> unsqueeze 1) -> logical_and) -> attention",
    ),
    Bug(
        "the second layer has no mask",
        SEPARATES,
        PACKED + "y = (x, x, x, same) -> attention -> dense 8\n(y, y, y) -> attention",
        "attention",
        PACKED + "y = (x, x, x, same) -> attention -> dense 8\n(y, y, y, same) -> attention",
    ),
    Bug(
        "a state runs on across documents",
        SEPARATES,
        PACKED + "y = (x, x, x, same) -> attention\n(z, _) = y -> gru 8\nz",
        "gru",
        PACKED + "y = (x, x, x, same) -> attention\ny -> dense 8 tanh",
    ),
    Bug(
        "a convolution reaches the document before",
        SEPARATES,
        PACKED + "y = (x, x, x, same) -> attention -> transpose 1 2 -> pad [3, 0] -> conv 8 4 -> transpose 1 2\ny",
        "pad",
        PACKED + "y = (x, x, x, same) -> attention -> transpose 1 2 -> conv 8 1 -> transpose 1 2\ny",
    ),
    Bug(
        "the mask is added but does not hide",
        SEPARATES,
        PACKED + "s = x @ (x -> transpose 1 2) + ((same -> cast float32) - 1) * 3\n(s -> softmax) @ x",
        "softmax",
        PACKED + "s = (x @ (x -> transpose 1 2), same -> logical_not) -> masked_fill (-inf)\n(s -> softmax) @ x",
    ),
    Bug(
        "weights are masked after the softmax",
        SEPARATES,
        PACKED + "w = (x @ (x -> transpose 1 2) -> softmax) * (same -> cast float32)\nw @ x",
        "softmax",
        PACKED + "s = (x @ (x -> transpose 1 2), same -> logical_not) -> masked_fill (-10000)\n(s -> softmax) @ x",
    ),
    Bug(
        "the softmax runs over the queries",
        SEPARATES,
        PACKED + "s = x @ (x -> transpose 1 2) -> softmax axis=1\n((s, same -> logical_not) -> masked_fill 0) @ x",
        "softmax",
        PACKED + "s = (x @ (x -> transpose 1 2), same -> logical_not) -> masked_fill (-inf) -> softmax axis=1\n(s -> transpose 1 2) @ x",
    ),
    Bug(
        "statistics over all documents",
        SEPARATES,
        PACKED + "y = (x, x, x, same) -> attention\ny -> transpose 1 2 -> group_norm 2 -> transpose 1 2",
        "group_norm",
        PACKED + "y = (x, x, x, same) -> attention\ny -> layer_norm",
    ),
    Bug(
        "a token shift takes the last token of the document before",
        SEPARATES,
        PACKED + "y = (x, x, x, same) -> attention\ny + (y -> roll 1 axis=1)",
        "roll",
        PACKED + "y = (x, x, x, same) -> attention\nshifted = y @ (table (i, j) [8, 8] = where(i == j, 1.0, 0.0))\ny + shifted",
    ),
)

PADDING = (
    Bug(
        "the mask is ignored",
        IGNORES,
        PADDED + "((x, x, x) -> attention) * (mask -> unsqueeze 2 -> cast float32)",
        "attention",
        PADDED + "(x, x, x, mask -> unsqueeze 1) -> attention",
    ),
    Bug(
        "the mask is upside down",
        IGNORES,
        PADDED + "(x, x, x, mask -> logical_not -> unsqueeze 1) -> attention",
        "attention",
        PADDED + "(x, x, x, mask -> unsqueeze 1) -> attention",
    ),
    Bug(
        "the queries are masked",
        IGNORES,
        PADDED + "(x, x, x, mask -> unsqueeze 2 -> expand [N, T, T]) -> attention",
        "attention",
        PADDED + "(x, x, x, mask -> unsqueeze 1 -> expand [N, T, T]) -> attention",
    ),
    Bug(
        "the mean is over padding",
        IGNORES,
        PADDED + FLOATS + "x + m -> mean axis=1",
        "mean",
        PADDED + FLOATS + "(x * m -> sum axis=1) / (m -> sum axis=1)",
    ),
    Bug(
        "the maximum is over padding",
        IGNORES,
        PADDED + FLOATS + "(y, _) = x + m -> max axis=1\ny",
        "max",
        PADDED + "(x, mask -> logical_not -> unsqueeze 2) -> masked_fill (-inf) -> max axis=1",
    ),
    Bug(
        "a convolution after which nothing is masked before the next",
        IGNORES,
        PADDED + FLOATS + "y = x * m -> transpose 1 2 -> conv 8 3 padding=1 -> conv 8 3 padding=1 -> transpose 1 2\ny + (x -> flip axis=1)",
        "flip",
        PADDED + FLOATS + "y = x * m -> transpose 1 2 -> conv 8 3 padding=1 -> transpose 1 2\ny * m -> transpose 1 2 -> conv 8 3 padding=1",
    ),
    Bug(
        "instances are normalized with their padding",
        IGNORES,
        PADDED + FLOATS + "x + m -> transpose 1 2 -> instance_norm -> transpose 1 2",
        "instance_norm",
        PADDED + FLOATS + "x * m -> transpose 1 2 -> instance_norm -> transpose 1 2",
    ),
    Bug(
        "the last position is taken for the sample",
        IGNORES,
        PADDED + "y = (x, x, x, mask -> unsqueeze 1) -> attention\ny -> select 1 (-1)",
        "select",
        PADDED + "y = (x, x, x, mask -> unsqueeze 1) -> attention\ny -> select 1 0",
    ),
    Bug(
        "keys of multi-head attention are not hidden",
        IGNORES,
        PADDED + "y = x -> multihead_attention 2\ny + (mask -> unsqueeze 2 -> cast float32)",
        "multihead_attention",
        PADDED + "x -> multihead_attention 2 key_padding_mask=(mask -> logical_not)",
    ),
    Bug(
        "an LSTM reads padding",
        IGNORES,
        PADDED + "(y, _, _) = x -> lstm 4 bidirectional=true\ny * (mask -> unsqueeze 2 -> cast float32)",
        "lstm",
        PADDED + "(y, _, _) = x * (mask -> unsqueeze 2 -> cast float32) -> lstm 4 bidirectional=true\ny",
    ),
)
BUGS = (*PACKING, *PADDING)
