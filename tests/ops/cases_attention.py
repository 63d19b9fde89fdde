"""One-line models of attention, and those that are refused."""


def _qkv(q: str, k: str, v: str, dtype: str = "float32") -> str:
    return f"q = input [{q}] {dtype}; k = input [{k}] {dtype}; v = input [{v}] {dtype}"


_HEADS = _qkv("4, T, 6", "4, S, 6", "4, S, 5")
_LATER = "q = input [4, T, 6]; past = input [4, P, 6]; k = (past, q) -> concat axis=2"
_FEW = _qkv("4, T, 6", "2, S, 6", "2, S, 6")

CASES: list[str] = [
    f"{_qkv('4, 3, 6', '4, 3, 6', '4, 3, 6')}; (q, k, v) -> attention",
    f"{_qkv('4, T, 6', '4, T, 6', '4, T, 6')}; (q, k, v) -> attention causal=true",
    f"{_HEADS}; (q, k, v) -> attention",
    f"{_HEADS}; (q, k, v) -> attention causal=true align=start",
    f"block a(q: [N, H, T, D], k: [N, H, T, D], causal) {{ (q, k, k) -> attention causal=causal align=end }}; "
    f"{_qkv('4, T, 6', '4, T, 6', '4, T, 6')}; a(q, k, false) + a(q, v, true)",
    f"{_LATER}; (q, k, k) -> attention causal=true align=end",
    f"{_LATER}; (q, k, k) -> attention causal=true align=end window=2",
    f"{_qkv('4, 3, 6', '2, 5, 6', '2, 5, 6')}; (q, k, v) -> attention causal=true align=end window=1 dropout=0.5",
    f"{_qkv('4, 3, 6', '4, 5, 6', '4, 5, 6', 'float64')}; (q, k, v) -> attention causal=true align=end",
    f"{_qkv('4, 3, 6', '4, 5, 6', '4, 5, 6', 'float16')}; (q, k, v) -> attention causal=true align=end",
    f"{_qkv('2, 2, 5, 6', '2, 2, 3, 6', '2, 2, 3, 6')}; (q, k, v) -> attention causal=true align=start",
    f"{_qkv('4, T, 6', '4, T, 6', '4, T, 6')}; (q, k, v) -> attention causal=true align=end",
    "block attend(x: [N, T, 6], past: [N, P, 6]) { k = (past, x) -> concat axis=1; out (x, k, k) -> attention causal=true align=end, k }; "
    "x = input [T, 6]; pasts = input [P, 6] for _ in 2; (h, keys[]) = x -> repeat past in pasts { (in, past) -> attend }; out h, keys",
    "past = input 4xPx6; input 4xTx6 -> repeat 2 "
    "{ seen = (past, in) -> concat axis=2; (in, seen, seen) -> attention causal=true align=end }",
    f"{_HEADS}; m = input [T, S] bool batch=false; (q, k, v) -> attention mask=m",
    f"{_HEADS}; m = input [T, S] batch=false; attention(q, value=v, key=k, mask=m * 2)",
    f"{_HEADS}; (q, k, v) -> attention scale=0.3",
    f"{_HEADS}; (q, k, v) -> attention scale=-0.3",
    f"{_HEADS}; (q, k, v) -> attention scale=0",
    f"{_HEADS}; mask = input [T, S] bool batch=false; (q, k, v, mask) -> attention",
    f"{_HEADS}; mask = input [T, S] batch=false; (q, k, v, mask) -> attention scale=2",
    f"{_HEADS}; mask = input [1, T, S] bool; (q, k, v, mask) -> attention",
    f"{_HEADS}; mask = input [4, T, S]; (q, k, v, mask) -> attention",
    f"{_HEADS}; mask = input [4, 1, S] bool; (q, k, v, mask) -> attention",
    f"{_HEADS}; mask = input [1, 1, S] bool; (q, k, v, mask) -> attention",
    f"{_HEADS}; mask = input [4, T, 1] batch=false; (q, k, v, mask) -> attention",
    f"{_HEADS}; mask = input [1, 1] bool batch=false; (q, k, v, mask) -> attention",
    f"{_FEW}; (q, k, v) -> attention",
    f"{_FEW}; (q, k, v) -> attention causal=true align=start",
    f"{_FEW}; mask = input [4, T, S] bool; (q, k, v, mask) -> attention",
    f"{_qkv('4, T, 6', '1, S, 6', '1, S, 6')}; (q, k, v) -> attention",
    f"{_qkv('1, T, 6', '4, S, 6', '4, S, 6')}; (q, k, v) -> attention",
    "q = input [4, T, 6]; k = input [1, 4, S, 6] batch=false; v = input [1, 4, S, 6] batch=false; (q, k, v) -> attention",
    "q = input [4, T, 6]; k = input [4, S, 6] batch=false; v = input [4, S, 6] batch=false; (q, k, v) -> attention",
    f"{_qkv('T, 6', 'S, 6', 'S, 5')}; (q, k, v) -> attention",
    f"{_qkv('T, 6', 'T, 6', 'T, 6')}; (q, k, v) -> attention causal=true",
    f"{_qkv('T, 6', 'S, 6', 'S, 5')}; mask = input [T, S] bool; (q, k, v, mask) -> attention",
    f"{_qkv('T, 6', 'S, 6', 'S, 5')}; mask = input [T, S] batch=false; (q, k, v, mask) -> attention",
    "q = input [T, 6] batch=false; k = input [S, 6] batch=false; (q, k, k) -> attention",
    f"{_qkv('6', '6', '5')}; (q, k, v) -> attention",
    f"{_qkv('2, 2, T, 6', '2, 2, S, 6', '2, 2, S, 5')}; (q, k, v) -> attention causal=true align=start",
    f"{_qkv('2, 4, T, 6', '2, 2, S, 6', '2, 2, S, 5')}; mask = input [2, 1, T, S]; (q, k, v, mask) -> attention",
    f"{_qkv('2, 2, T, 6', '2, 2, S, 6', '2, 2, S, 5')}; mask = input [T, S] bool batch=false; (q, k, v, mask) -> attention",
    f"{_qkv('4, T, 6', '4, S, 6', '4, S, 5', 'float64')}; (q, k, v) -> attention causal=true align=start",
    f"{_qkv('4, T, 6', '2, S, 6', '2, S, 6', 'float64')}; mask = input [T, S] bool batch=false; (q, k, v, mask) -> attention",
    f"{_qkv('4, T, 6', '4, S, 6', '4, S, 5', 'float64')}; mask = input [T, S] batch=false; (q, k, v, mask) -> attention",
    f"{_qkv('4, T, 6', '4, S, 6', '4, S, 6', 'float16')}; mask = input [T, S] batch=false; (q, k, v, mask) -> attention",
    f"{_qkv('4, T, 6', '4, S, 6', '4, S, 6', 'float16')}; mask = input [T, S] float16 batch=false; (q, k, v, mask) -> attention",
    f"{_qkv('4, T, 6', '4, T, 6', '4, T, 6')}; (q, k, v) -> attention causal=true window=3",
    f"{_qkv('4, 7, 6', '4, 7, 6', '4, 7, 5')}; (q, k, v) -> attention causal=true window=1 scale=2 dropout=0.5",
    f"{_qkv('4, T, 6', '2, T, 6', '2, T, 6')}; (q, k, v) -> attention causal=true window=2 dropout_p=0.1",
    f"{_qkv('T, 6', 'T, 6', 'T, 6', 'float16')}; (q, k, v) -> attention causal=true window=100",
    f"{_qkv('2, 2, T, 6', '2, 2, T, 6', '2, 2, T, 5', 'float64')}; (q, k, v) -> attention causal=true window=3",
    f"{_HEADS}; mask = input [T, S] bool batch=false; (q, k, v, mask) -> attention dropout=0.2",
    "input [4, T, 8] -> repeat p in [0.1, 0.2] { (in, in, in) -> attention dropout=p }",
    # keys and values broadcast, or have fewer heads, each for itself
    f"{_qkv('4, T, 6', '2, S, 6', '4, S, 5')}; (q, k, v) -> attention",
    f"{_qkv('4, T, 6', '1, S, 6', '2, S, 6')}; (q, k, v) -> attention causal=true align=start",
    f"{_qkv('4, T, 6', '4, S, 6', '1, S, 6')}; mask = input [T, S] bool batch=false; (q, k, v, mask) -> attention",
    f"{_qkv('1, T, 6', '1, S, 6', '4, S, 6')}; (q, k, v) -> attention",
    f"{_qkv('1, T, 6', '4, S, 6', '1, S, 6')}; (q, k, v) -> attention scale=2",
    "q = input [4, T, 6] batch=false; k = input [2, S, 6] batch=false; v = input [1, S, 5] batch=false; (q, k, v) -> attention",
    "q = input [4, T, 6]; k = input [2, S, 6] batch=false; (q, k, k) -> attention",
    "q = input [3, 4, T, 6]; k = input [1, 2, S, 6]; v = input [3, 1, S, 6]; (q, k, v) -> attention",
    "q = input [4, T, 6] float16 batch=false; k = input [2, S, 6] float16 batch=false; m = input [4, T, S] bool batch=false; "
    "(q, k, k, m) -> attention",
]

REFUSED: list[tuple[str, str]] = [
    (f"{_qkv('4, 3, 6', '4, 3, 5', '4, 3, 6')}; (q, k, v) -> attention", "shape-mismatch"),
    (f"{_qkv('4, 3, 6', '4, 3, 6', '4, 5, 6')}; (q, k, v) -> attention", "shape-mismatch"),
    (f"{_qkv('4, 3, 6', '4, T, 6', '4, S, 6')}; (q, k, v) -> attention", "unprovable"),
    (f"{_qkv('4, 3, 6', '3, 3, 6', '3, 3, 6')}; (q, k, v) -> attention", "not-divisible"),
    (f"{_qkv('4, 3, 6', '2, 3, 6', '3, 3, 6')}; (q, k, v) -> attention", "not-divisible"),
    (f"{_qkv('1, 3, 6', '2, 3, 6', '4, 3, 6')}; (q, k, v) -> attention", "shape-mismatch"),
    (f"{_qkv('H, 3, 6', '2, 3, 6', '2, 3, 6')}; (q, k, v) -> attention", "unprovable"),
    (f"{_qkv('2, 4, 3, 6', '3, 4, 3, 6', '3, 4, 3, 6')}; (q, k, v) -> attention", "shape-mismatch"),
    (f"{_qkv('4, 3, 6', '4, 3, 6', '4, 3, 6', 'int64')}; (q, k, v) -> attention", "needs-float"),
    ("q = input [4, 3, 6]; k = input [4, 3, 6] float64; (q, k, k) -> attention", "dtype-mismatch"),
    ("q = input [] ; (q, q, q) -> attention", "wrong-rank"),
    (f"{_HEADS}; mask = input [S, T] bool batch=false; (q, k, v, mask) -> attention", "unprovable"),
    (f"{_HEADS}; mask = input [3, T, S] bool; (q, k, v, mask) -> attention", "mask-mismatch"),
    (f"{_HEADS}; mask = input [S] bool batch=false; (q, k, v, mask) -> attention", "mask-mismatch"),
    (f"{_HEADS}; mask = input [1, 1, 1, S] bool; (q, k, v, mask) -> attention", "mask-mismatch"),
    (f"{_HEADS}; mask = input [T, S] int64 batch=false; (q, k, v, mask) -> attention", "mask-type"),
    (f"{_HEADS}; mask = input [T, S] bool batch=false; (q, k, v, mask) -> attention causal=true", "bad-argument"),
    (f"{_qkv('4, 3, 6', '4, 3, 6', '4, 3, 6')}; (q, k, v) -> attention window=2", "bad-argument"),
    (f"{_qkv('4, 3, 6', '4, 3, 6', '4, 3, 6')}; (q, k, v) -> attention causal=true window=0", "wrong-argument"),
    (f"{_qkv('4, 3, 6', '4, 4, 6', '4, 4, 6')}; (q, k, v) -> attention causal=true window=2", "shape-mismatch"),
    (f"{_HEADS}; (q, k, v) -> attention causal=true window=2", "unprovable"),
    (f"{_HEADS}; mask = input [T, S] bool batch=false; (q, k, v, mask) -> attention window=2", "bad-argument"),
    (f"{_HEADS}; (q, k, v) -> attention causal=true", "causal-alignment"),
    (f"{_qkv('4, 3, 6', '4, 5, 6', '4, 5, 6')}; (q, k, v) -> attention causal=true", "causal-alignment"),
    (f"{_HEADS}; (q, k, v) -> attention causal=true align=end", "unprovable"),
    (f"{_qkv('4, 5, 6', '4, 3, 6', '4, 3, 6')}; (q, k, v) -> attention causal=true align=end", "bad-argument"),
    (f"{_qkv('4, 3, 6', '4, 5, 6', '4, 5, 6')}; (q, k, v) -> attention causal=true align=start window=2", "shape-mismatch"),
    (
        "q = input [1, 2, 3, 4] batch=false; v = input [2, 2, 3, 4] batch=false; m = input [2, 1, 3, 3] bool batch=false; "
        "(q, q, v, m) -> attention",
        "mask-mismatch",
    ),
]
