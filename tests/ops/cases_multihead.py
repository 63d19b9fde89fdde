"""One-line models of multi-head attention with its projections, and those that are refused."""

_PADDED = "x = input [T, 8]; lengths = input [1]; places = table (i) [T] = i * 0.1 - 0.2; p = places > lengths * lengths"

CASES: list[str] = [
    "input [T, 8] -> multihead_attention 2",
    "input [3, 8] -> multihead_attention 1 bias=false",
    "input [T, 8] -> multihead_attention 4 causal=true",
    "input [3, 8] -> multihead_attention 2 causal=true as attn",
    "input [T, 8] float64 -> multihead_attention 2 causal=true",
    "input [T, 8] float16 -> multihead_attention 2",
    "x = input [T, 8]; c = input [S, 8]; (x, c) -> multihead_attention 2",
    "x = input [T, 8]; c = input [S, 8]; (x, c) -> multihead_attention 2 causal=true align=start bias=false",
    "x = input [T, 8]; c = input [S, 6]; (x, c) -> multihead_attention 2",
    "x = input [T, 8]; c = input [S, 6]; (x, c) -> multihead_attention 2 bias=false causal=true align=start",
    *(
        f"x = input [T, 8]; c = input [S, 6] where S >= T; (x, c) -> multihead_attention 2 causal=true align=end{options}"
        for options in ("", " add_bias_kv=true")
    ),
    "x = input [T, 8]; c = input [S, 6] where S >= T; (y, w) = (x, c) -> multihead_attention 2 causal=true align=end; out y, w",
    "x = input [3, 8]; c = input [5, 8]; p = input [5]; (x, c, p) -> multihead_attention 2 key_padding_mask=true causal=true align=end",
    "x = input [T, 8]; k = input [S, 8]; v = input [S, 8]; (x, k, v) -> multihead_attention 2",
    "x = input [T, 8]; k = input [S, 6]; v = input [S, 4]; (x, k, v) -> multihead_attention 2",
    "x = input [T, 8]; k = input [S, 8]; v = input [S, 4]; (x, k, v) -> multihead_attention 2",
    "x = input [T, 8]; m = table (i, j) [T, T] = j > i + 1; (x, m) -> multihead_attention 2",
    "x = input [T, 8]; m = input [T, T] batch=false; (x, x, x, m) -> multihead_attention 2",
    "x = input [T, 8]; c = input [S, 8]; m = table (i, j) [T, S] = (i + j) % 2 == 1; (x, c, m) -> multihead_attention 2",
    "x = input [T, 8]; m = input [T, T]; (x, x, x, m) -> multihead_attention 1",
    "x = input [T, 8]; m = input [T, T]; (x, x, x, (m, m) -> concat axis=0) -> multihead_attention 2",
    "x = input [T, 8]; m = input [1, T]; (x, (m > 9, m > 8) -> concat axis=0 -> expand [2 * N, T, T]) -> multihead_attention 2",
    # masks given by name, which need not be bool
    f"{_PADDED}; x -> multihead_attention 2 key_padding_mask=p",
    f"{_PADDED}; x -> multihead_attention 2 padding=p causal=true",
    "x = input [T, 8]; m = input [T, T] batch=false; x -> multihead_attention 2 attn_mask=m",
    f"{_PADDED}; m = input [T, T] batch=false; c = input [T, 6]; (x, c) -> multihead_attention 2 key_padding_mask=p attn_mask=m",
    "x = input [T, 8]; m = input [T, S]; k = input [S, 6]; multihead_attention(x, 1, attn_mask=m, key=k)",
    # masks of keys
    f"{_PADDED}; (x, p) -> multihead_attention 2 key_padding_mask=true",
    f"{_PADDED}; (x, p) -> multihead_attention 2 key_padding_mask=true causal=true",
    f"{_PADDED}; m = table (i, j) [T, T] = j > i + 2; (x, m, p) -> multihead_attention 2 key_padding_mask=true",
    f"{_PADDED}; m = input [T, T] batch=false; (x, x, x, m, p) -> multihead_attention 2 key_padding_mask=true",
    f"{_PADDED}; m = input [T, T] batch=false; (x, x, x, m, p) -> multihead_attention 2",
    f"{_PADDED}; c = input [S, 6]; (c, x, p) -> multihead_attention 3 key_padding_mask=true",
    "x = input [T, 8]; p = input [T]; (x, p) -> multihead_attention 2 key_padding_mask=true",
    "x = input [T, 8]; p = input [T]; (x, p) -> multihead_attention 2 key_padding_mask=true causal=true",
    "x = input [T, 8]; p = input [T]; m = table (i, j) [T, T] = j > i; (x, m, p) -> multihead_attention 1 key_padding_mask=true",
    "x = input [T, 8] float16; p = input [T]; (x, p) -> multihead_attention 2 key_padding_mask=true",
    "x = input [T, 8] float64; p = input [T]; (x, p) -> multihead_attention 2 key_padding_mask=true",
    # keys that are added
    *(
        f"x = input [T, 8]; c = input [S, 6]; (x, c) -> multihead_attention 2 {added}{options}"
        for added in ("add_bias_kv=true", "add_zero_attn=true", "add_bias_kv=true add_zero_attn=true")
        for options in ("", " causal=true align=start bias=false")
    ),
    f"{_PADDED}; (x, p) -> multihead_attention 2 key_padding_mask=true add_bias_kv=true",
    f"{_PADDED}; m = input [T, T] batch=false; (x, x, x, m, p) -> multihead_attention 2 key_padding_mask=true add_zero_attn=true",
    "input [T, 8] float16 -> multihead_attention 4 add_bias_kv=true causal=true",
    # the weights
    *(
        f"(y, w) = input [T, 8]{dtype} -> multihead_attention 2{options}; out y, w"
        for dtype in ("", " float16", " float64")
        for options in ("", " average_attn_weights=false", " causal=true add_bias_kv=true")
    ),
    f"{_PADDED}; (y, w) = (x, p) -> multihead_attention 2 key_padding_mask=true; out y, w",
    "x = input [T, 8] float16; m = input [T, T] batch=false; (y, w) = (x, x, x, m) -> multihead_attention 2; out w",
    "(y, w) = input [T, 8] batch=false -> multihead_attention 2; out y, w",
    # one sample
    "input [T, 8] batch=false -> multihead_attention 2",
    "input [T, 8] batch=false -> multihead_attention 2 causal=true add_bias_kv=true",
    "x = input [T, 8] batch=false; c = input [S, 6] batch=false; (x, c) -> multihead_attention 2 causal=true align=start",
    "x = input [T, 8] batch=false; m = input [2, T, T] batch=false; (x, x, x, m) -> multihead_attention 2",
    "x = input [T, 8] batch=false; m = table (i, j) [T, T] = j > i; (x, m) -> multihead_attention 2",
    "x = input [T, 8] batch=false; p = table (i) [T] = i > 2; (x, p) -> multihead_attention 2 key_padding_mask=true",
]

REFUSED: list[tuple[str, str]] = [
    ("x = input [T, 8]; c = input [S, 8]; (x, c) -> multihead_attention 2 causal=true", "causal-alignment"),
    ("x = input [5, 8]; c = input [3, 8]; (x, c) -> multihead_attention 2 causal=true align=end", "bad-argument"),
    ("input [T, 8] -> multihead_attention 3", "not-divisible"),
    ("input [T, D] -> multihead_attention 3", "unprovable"),
    ("input [T, 8] -> multihead_attention 0", "wrong-argument"),
    ("input 8 -> multihead_attention 2", "wrong-rank"),
    ("input [T, 8] int64 -> multihead_attention 2", "needs-float"),
    ("x = input [T, 8]; c = input [S, 8] float64; (x, c) -> multihead_attention 2", "dtype-mismatch"),
    ("x = input [T, 8]; k = input [S, 8]; v = input [T, 8]; (x, k, v) -> multihead_attention 2", "unprovable"),
    ("x = input [T, 8]; c = input [3, 5, 8] batch=false; (x, c) -> multihead_attention 2", "unprovable"),
    ("x = input [3, 8]; m = input [3, 4] bool batch=false; (x, m) -> multihead_attention 2", "mask-mismatch"),
    ("x = input [3, 8]; m = input [3, 3] bool batch=false; (x, m) -> multihead_attention 2 causal=true", "bad-argument"),
    ("x = input [3, 8]; m = input [3, 3] int64 batch=false; (x, x, x, m) -> multihead_attention 2", "mask-type"),
    ("x = input [3, 8]; p = input [3] int64; (x, p) -> multihead_attention 2 key_padding_mask=true", "mask-type"),
    ("x = input [3, 8]; p = input [3] float64; (x, p) -> multihead_attention 2 key_padding_mask=true", "mask-type"),
    ("x = input [3, 8]; p = input [4] bool; (x, p) -> multihead_attention 2 key_padding_mask=true", "mask-mismatch"),
    ("x = input [3, 8]; p = input [3] bool batch=false; (x, p) -> multihead_attention 2 key_padding_mask=true", "mask-mismatch"),
    ("x = input [3, 8]; p = input [T] bool; (x, p) -> multihead_attention 2 key_padding_mask=true", "unprovable"),
    ("input [3, 8] -> multihead_attention 2 key_padding_mask=true", "wrong-number-of-tensors"),
    ("x = input [3, 8]; m = input [3, 3] batch=false; (x, x, x, m, m) -> multihead_attention 2", "unprovable"),
    ("x = input [3, 8]; m = input [3, 3] batch=false; (x, x, x, m, m, m) -> multihead_attention 2", "wrong-number-of-tensors"),
    ("x = input [3, 8]; c = input [3, 8] batch=false; (x, c) -> multihead_attention 2", "wrong-rank"),
]
