"""One-line models of rotary position embedding, and those that are refused."""

_WITH = "x = input [{}]; at = input [{}] int64"

CASES: list[str] = [
    "input [2, 3, 8] -> rotary",
    "input [2, T, 8] -> rotary",
    "x = input [2, T, 8]; p = input [T] int64; x -> rotary positions=p",
    "input [2, T, 8] -> rotary interleaved=true",
    "input [2, T, 8] -> rotary dims=4",
    "input [2, T, 8] -> rotary dims=4 interleaved=true base=500",
    "input [2, T, 8] -> rotary dims=8 base=1e6",
    "input [2, T, D] where D % 2 == 0 -> rotary",
    "x = input [2, T, D] where D % 4 == 0; x -> rotary interleaved=true",
    "x = input [2, T, D] where D >= 6; x -> rotary dims=6",
    "input [H, T, 2] -> rotary",
    "input [T, 8] -> rotary",
    "input [5, 8] -> rotary dims=2 interleaved=true",
    "input 8 -> rotary",
    "input [T, 6] batch=false -> rotary dims=4",
    "input [2, 3, T, 8] -> rotary",
    "input [2, 3, T, 8] -> rotary dims=6 interleaved=true",
    *(
        f"{_WITH.format(shape, 'T')}; (x, at) -> rotary{options}"
        for shape in ("T, 8", "2, T, 8", "2, 3, T, 8")
        for options in ("", " interleaved=true dims=4")
    ),
    f"{_WITH.format('2, T, 8', 'T')} batch=false; (x, at) -> rotary",
    f"{_WITH.format('T, 8', 'T')} batch=false; (x, at) -> rotary",
    "x = input [6]; at = input [] int32; (x, at) -> rotary",
    "x = input [4, 6] batch=false; at = input [4] uint8 batch=false; (x, at) -> rotary",
    "x = input [2, T, 8]; at = input [T] int32; (x, at * 100 + 7) -> rotary",
    *(
        f"input [2, T, 8] {dtype} -> rotary{options}"
        for dtype in ("float16", "bfloat16", "float64")
        for options in ("", " interleaved=true", " dims=4")
    ),
    "input [2, T, 8] float64 -> rotary dims=4 interleaved=true",
    "x = input [2, T, 8] float64; at = input [T] int64; (x, at) -> rotary dims=4 interleaved=true",
    "x = input [T, 8] float64; at = input [T] int64; (x, at) -> rotary",
    "x = input [2, T, D] float64 where D % 2 == 0; x -> rotary",
    "x = input [2, T, 8] float16; at = input [T] int64; (x, at) -> rotary dims=4",
    'x = input [T, 16]; (q, k, v) = x -> dense 48 -> rearrange "n t (h d) -> n h t d" h=2 -> chunk 3 axis=-1; '
    "(q -> rotary, k -> rotary, v) -> attention causal=true",
]

REFUSED: list[tuple[str, str]] = [
    ("input [2, T, 7] -> rotary", "wrong-size"),
    ("input [2, T, D] -> rotary", "unprovable"),
    ("input [2, T, 8] int64 -> rotary", "needs-float"),
    ("input [8] batch=false -> rotary", "wrong-rank"),
    ("input [2, T, 8] -> rotary dims=3", "bad-argument"),
    ("input [2, T, 8] -> rotary dims=10", "bad-argument"),
    ("input [2, T, D] -> rotary dims=4", "unprovable"),
    ("input [2, T, 8] -> rotary dims=0", "wrong-argument"),
    ("input [2, T, 8] -> rotary base=0", "wrong-argument"),
    ("x = input [2, T, 8]; at = input [T]; (x, at) -> rotary", "needs-integer"),
    ("x = input [2, T, 8]; at = input [S] int64; (x, at) -> rotary", "unprovable"),
    ("x = input [2, 3, 8]; at = input [4] int64; (x, at) -> rotary", "wrong-size"),
    ("x = input [2, T, 8]; at = input [1, T] int64; (x, at) -> rotary", "wrong-rank"),
    ("x = input [T, 8] batch=false; at = input [T] int64; (x, at) -> rotary", "wrong-rank"),
]
