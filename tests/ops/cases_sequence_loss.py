"""Models with losses of sequences for the differential tests, and what they refuse. Integers are 0 or 1: there are classes 0 and 1."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F  # noqa: N812

_STEPS = "x = input [4, 3] batch=false -> log_softmax axis=-1"
_ONE = "n = input [] int64 batch=false; m = input [] int64 batch=false"
_MANY = "x = input [T, 3] -> log_softmax axis=2 -> transpose 0 1; t = input [2] int64; n = input [] int64; m = input [] int64"

CASES = [
    *[f"{_MANY}; (x, t, n + 3, m) -> ctc_loss blank=2 reduction={r}" for r in ("mean", "sum", "none")],
    f"{_MANY}; (x, t, n, m + 1) -> ctc_loss blank=2",
    f"{_MANY}; (x, t, n, m + 1) -> ctc_loss blank=2 zero_infinity=true reduction=none",
    f"{_STEPS}; t = input [2] int64 batch=false; {_ONE}; (x, t + 1, n + 3, m * 0 + 2) -> ctc_loss reduction=none",
    "x = input [5, 3] float64 -> log_softmax axis=2; t = input [2] int32; n = input [] int64; "
    "(x -> transpose 0 1, t, n + 4, n) -> ctc_loss blank=2",
]

REFUSED = [
    ("x = input [T, 3]; t = input [2] int64; n = input [] int64; (x, t, n, n) -> ctc_loss", "wrong-size"),
    (f"{_MANY}; (x, t, n, m) -> ctc_loss blank=3", "bad-argument"),
    (f"{_MANY}; (x, t, n, t) -> ctc_loss", "shape-mismatch"),
    (f"{_STEPS}; t = input [2, 2] int64 batch=false; {_ONE}; (x, t, n, m) -> ctc_loss", "wrong-rank"),
    ("x = input [4] batch=false; t = input [2] int64 batch=false; n = input [] int64 batch=false; (x, t, n, n) -> ctc_loss", "wrong-rank"),
    (f"{_STEPS}; t = input [2] batch=false; {_ONE}; (x, t, n, m) -> ctc_loss", "needs-integer"),
]


def _ctc(args: Any, log_probs: Any, targets: Any, input_lengths: Any, target_lengths: Any) -> Any:
    return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, args.blank, args.reduction, args.zero_infinity)


REFERENCES = {"ctc_loss": _ctc}
