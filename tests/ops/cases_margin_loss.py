"""Models with losses with a margin for the differential tests, and what they refuse. Class numbers are 0 or 1."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812

_REDUCTIONS = ("mean", "sum", "none")
_SIGNED = "x = input [3]; t = input [3] -> sign"
_NUMBERS = "x = input [3]; n = input [3] int64; t = 2 * n - 1"
_PAIRS = "a = input [4]; b = input [4]"
_SCORES = "x = input [4]; t = input [] int64"
_LISTS = "x = input [4]; t = input [4]"
_OF_SIGNS = ("soft_margin_loss", "hinge_embedding_loss")
_THREE = "a = input [4]; p = input [4]; n = input [4]"

CASES = [
    *[f"{text}; (x, t) -> hinge_embedding_loss reduction={r}" for text in (_SIGNED, _NUMBERS) for r in _REDUCTIONS],
    f"{_NUMBERS}; (x, t) -> hinge_embedding_loss margin=-0.5",
    "x = input [] float64; t = input [] int32; (x, t) -> hinge_embedding_loss margin=2",
    *[f"{text}; y = input [3]; (x, y, t) -> margin_ranking_loss reduction={r}" for text in (_SIGNED, _NUMBERS) for r in _REDUCTIONS],
    f"{_SIGNED}; y = input [3]; (x, y, t) -> margin_ranking_loss margin=0.5",
    *[f"{text}; (x, t) -> soft_margin_loss reduction={r}" for text in (_SIGNED, _NUMBERS) for r in _REDUCTIONS],
    *[f"{_PAIRS}; n = input [] int64; (a, b, 2 * n - 1) -> cosine_embedding_loss reduction={r}" for r in _REDUCTIONS],
    f"{_PAIRS}; t = input []; (a, b, t -> sign) -> cosine_embedding_loss margin=0.5",
    "a = input [4] batch=false; b = input [4] batch=false; t = input [] int64 batch=false; (a, b, t) -> cosine_embedding_loss margin=-1",
    *[f"{_THREE}; (a, p, n) -> triplet_margin_loss reduction={r}" for r in _REDUCTIONS],
    *[f"{_THREE}; (a, p, n) -> triplet_margin_loss margin=0.3 swap=true p={p}" for p in (1, 2, 3, 0.5)],
    "a = input [T, 4]; p = input [T, 4]; n = input [T, 4]; (a, p, n) -> triplet_margin_loss eps=0.1 reduction=none",
    "a = input [] ; p = input []; n = input []; (a, p, n) -> triplet_margin_loss",
    *[f"{_SCORES}; (x, t) -> multi_margin_loss reduction={r}" for r in _REDUCTIONS],
    *[f"{_SCORES}; w = input [4] batch=false; (x, t, w) -> multi_margin_loss p=2 margin=0.5 reduction={r}" for r in _REDUCTIONS],
    "x = input [C]; t = input [] int64; (x, t) -> multi_margin_loss",
    "x = input [4] batch=false; t = input [] int64 batch=false; (x, t) -> multi_margin_loss",
    *[f"x = input [4]; n = input [4] int64; (x, n * 4 - 1) -> multilabel_margin_loss reduction={r}" for r in _REDUCTIONS],
    "x = input [C]; n = input [C] int64; (x, n * 2 - 1) -> multilabel_margin_loss",
    "x = input [4] float64; n = input [4] int64; (x, n) -> multilabel_margin_loss",
    "x = input [4] batch=false; n = input [4] int64 batch=false; (x, n) -> multilabel_margin_loss reduction=none",
    *[f"x = input [T, 4]; t = input [T, 4]; (x, t -> sigmoid -> round) -> multilabel_soft_margin_loss reduction={r}" for r in _REDUCTIONS],
    *[
        f"x = input [4]; t = input [4]; w = input [4] batch=false; (x, t, w) -> multilabel_soft_margin_loss reduction={r}"
        for r in _REDUCTIONS
    ],
    "x = input []; t = input []; (x, t) -> multilabel_soft_margin_loss reduction=none",
    *[
        f"x = input [4] {d}; t = input [4] {d}; (x, t) -> {n}"
        for d in ("float16", "float64")
        for n in ("soft_margin_loss", "hinge_embedding_loss")
    ],
    *[f"a = input [4] {d}; p = input [4] {d}; n = input [4] {d}; (a, p, n) -> triplet_margin_loss" for d in ("float16", "float64")],
    "a = input [4] float64; b = input [4] float64; t = input [] float64; (a, b, t) -> cosine_embedding_loss",
]

REFUSED = [
    ("x = input 3; t = input []; (x, t) -> hinge_embedding_loss", "shape-mismatch"),
    ("x = input 3; t = input 3 bool; (x, t) -> hinge_embedding_loss", "needs-number"),
    ("x = input 3; t = input 3 float64; (x, t) -> soft_margin_loss", "dtype-mismatch"),
    ("x = input 3; y = input 3; t = input 1; (x, y, t) -> margin_ranking_loss", "shape-mismatch"),
    ("x = input 3; y = input 3 float64; t = input 3; (x, y, t) -> margin_ranking_loss", "dtype-mismatch"),
    ("a = input 4; b = input 4; t = input 1; (a, b, t) -> cosine_embedding_loss", "shape-mismatch"),
    ("a = input 4; b = input 3; t = input []; (a, b, t) -> cosine_embedding_loss", "shape-mismatch"),
    ("a = input 2x4; b = input 2x4; t = input 2; (a, b, t) -> cosine_embedding_loss", "wrong-rank"),
    ("a = input 4; p = input 4; n = input 4; (a, p, n) -> triplet_margin_loss margin=0", "wrong-argument"),
    ("a = input 4; p = input 4; n = input 1; (a, p, n) -> triplet_margin_loss", "shape-mismatch"),
    ("a = input [] batch=false; (a, a, a) -> triplet_margin_loss", "wrong-rank"),
    ("x = input 4; t = input 1 int64; (x, t) -> multi_margin_loss", "shape-mismatch"),
    ("x = input 4; t = input []; (x, t) -> multi_margin_loss", "needs-integer"),
    ("x = input 4; t = input [] int64; (x, t) -> multi_margin_loss p=3", "wrong-argument"),
    ("x = input 4; t = input [] int64; w = input [3] batch=false; (x, t, w) -> multi_margin_loss", "wrong-size"),
    ("x = input []; t = input [] int64; (x, t) -> multi_margin_loss", "wrong-rank"),
    ("x = input 4; t = input 3 int64; (x, t) -> multilabel_margin_loss", "shape-mismatch"),
    ("x = input []; t = input [] int64; (x, t) -> multilabel_margin_loss", "wrong-rank"),
    ("x = input 4; t = input 4 int64; (x, t) -> multilabel_soft_margin_loss", "dtype-mismatch"),
    ("x = input 4; t = input 4; w = input [3] batch=false; (x, t, w) -> multilabel_soft_margin_loss", "shape-mismatch"),
]


def _signed(name: str) -> Any:
    return lambda args, x, target: getattr(F, name)(x, target, margin=args.margin, reduction=args.reduction)


def _of_pairs(name: str) -> Any:
    return lambda args, a, b, target: getattr(F, name)(a, b, target, margin=args.margin, reduction=args.reduction)


def _triplet(args: Any, anchor: Any, positive: Any, negative: Any) -> Any:
    return F.triplet_margin_loss(
        anchor, positive, negative, margin=args.margin, p=float(args.p), eps=args.eps, swap=args.swap, reduction=args.reduction
    )


REFERENCES = {
    "hinge_embedding_loss": _signed("hinge_embedding_loss"),
    "margin_ranking_loss": _of_pairs("margin_ranking_loss"),
    "cosine_embedding_loss": _of_pairs("cosine_embedding_loss"),
    "soft_margin_loss": lambda args, x, target: F.soft_margin_loss(x, target, reduction=args.reduction),
    "triplet_margin_loss": _triplet,
    "multi_margin_loss": lambda args, x, target, weight=None: F.multi_margin_loss(
        x, target, args.p, float(args.margin), weight, reduction=args.reduction
    ),
    "multilabel_margin_loss": lambda args, x, target: F.multilabel_margin_loss(x, target, reduction=args.reduction),
    "multilabel_soft_margin_loss": lambda args, x, target, weight=None: F.multilabel_soft_margin_loss(
        x, target, weight, reduction=args.reduction
    ),
}
