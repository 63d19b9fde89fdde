"""One-line models of recurrent layers, and those that are refused."""

_STATE = "x = input [T, 5]; h = input [{}, N, {}] batch=false"
_SINGLE = "x = input [T, 5] {2} batch=false; h = input [{0}, {1}] {2} batch=false"
_STATES = _STATE + "; c = input [{}, N, {}] batch=false"

CASES: list[str] = [
    *(
        f"input [T, 5] -> {name} 4{options}"
        for name in ("rnn", "gru", "lstm")
        for options in (
            "",
            " bias=false",
            " bidirectional=true",
            " layers=2",
            " num_layers=3 bidirectional=true dropout=0.5",
            " layers=2 bidirectional=true bias=false -> dense 3 relu",
        )
    ),
    *(
        f"input [T, 5] {dtype} -> {name} 4 layers=2 bidirectional=true"
        for name in ("rnn", "gru", "lstm")
        for dtype in ("float16", "float64")
    ),
    *(f"(y, h) = input [T, 5] -> {name} 4 layers=2 bidirectional=true; out y, h" for name in ("rnn", "gru", "lstm")),
    *(f"{_STATE.format(4, 3)}; (y, last) = (x, h) -> {name} 3 layers=2 bidirectional=true; out y, last" for name in ("rnn", "gru")),
    *(f"{_STATE.format(1, 3)}; (x, h) -> {name} 3 bias=false" for name in ("rnn", "gru")),
    "input [T, 5] -> rnn 4 nonlinearity=relu",
    "(y, h) = input [3, 5] -> rnn 4 nonlinearity=relu bidirectional=true layers=2; out h",
    "input [1, 5] -> lstm 1",
    "(y, h, c) = input [T, 5] -> lstm 4 layers=2 bidirectional=true; out y, h, c",
    "(y, h, c) = input [T, 5] -> lstm 4; out c",
    f"{_STATES.format(1, 3, 1, 3)}; (y, a, b) = (x, h, c) -> lstm 3; out y, a, b",
    f"{_STATES.format(1, 3, 1, 3)}; (y, a, b) = x -> lstm 3 c=c h=h; out y, a, b",
    f"{_STATES.format(4, 3, 4, 3)}; (y, a, b) = (x, h, c) -> lstm 3 layers=2 bidirectional=true bias=false; out b, a, y",
    "x = input [T, 5]; h = input [4] -> unsqueeze 0; (x, h, h) -> lstm 4",
    "(y, h, c) = input [T, 5] -> lstm 6 as encoder; z = input [S, 4]; (z, h, c) -> lstm 6 as decoder",
    "shared cell = lstm 5; (y, h, c) = input [T, 5] -> cell; (z, h2, c2) = (y, h, c) -> cell; out z, c2",
    "input [T, 5] -> repeat 2 { in + (in -> gru 5) }",
    # composed of steps: with projections, and in float64
    "input [T, 5] -> lstm 4 proj_size=3",
    "input [T, 5] -> lstm 4 proj_size=3 bias=false",
    "(y, h, c) = input [T, 5] -> lstm 4 proj_size=3 layers=2 bidirectional=true; out y, h, c",
    f"{_STATES.format(4, 2, 4, 3)}; (y, a, b) = (x, h, c) -> lstm 3 layers=2 bidirectional=true proj_size=2; out y, a, b",
    "(y, h, c) = input [T, 5] float64 -> lstm 4 layers=2 bidirectional=true; out y, h, c",
    "x = input [T, 5] float64; h = input [4, N, 3] float64 batch=false; (y, a) = (x, h) -> gru 3 layers=2 bidirectional=true; out y, a",
    "input [T, 5] float64 -> gru 4 bias=false",
    "x = input [T, 5] float64; h = input [1, N, 3] float64 batch=false; (x, h) -> rnn 3 nonlinearity=relu bias=false",
    "(y, h, c) = input [T, 5] float16 -> lstm 4 proj_size=3; out y, h, c",
    "(y, h, c) = input [T, 5] bfloat16 -> lstm 4 proj_size=3 layers=2; out y, h, c",
    "(y, h) = input [T, 5] bfloat16 -> gru 4 layers=2; out y, h",
    "x = input [T, 5] float16; h = input [1, N, 4] float16 batch=false; (y, a) = (x, h) -> gru 4; out y, a",
    # a single sequence
    *(f"(y, h) = input [T, 5] batch=false -> {name} 4 layers=2 bidirectional=true; out y, h" for name in ("rnn", "gru", "lstm")),
    "input [T, 5] batch=false -> lstm 4",
    "input [7, 5] float16 batch=false -> gru 4 bias=false",
    f"{_SINGLE.format(1, 3, 'float32')}; (y, last) = (x, h) -> gru 3; out y, last",
    f"{_SINGLE.format(4, 3, 'float64')}; (y, a) = (x, h) -> rnn 3 layers=2 bidirectional=true; out y, a",
    "x = input [T, 5] batch=false; h = input [2, 3] batch=false; c = input [2, 4] batch=false; "
    "(y, a, b) = (x, h, c) -> lstm 4 layers=2 proj_size=3; out y, a, b",
    "x = input [3, T, 5] batch=false; x -> select 0 1 -> lstm 4",
]

REFUSED: list[tuple[str, str]] = [
    ("input 5 -> lstm 4", "wrong-rank"),
    ("input [T, 5, 2] -> gru 4", "wrong-rank"),
    ("input [T, 5] int64 -> rnn 4", "needs-float"),
    ("input [T, 5] -> lstm 0", "wrong-argument"),
    ("input [T, 5] -> lstm 4 layers=0", "wrong-argument"),
    ("input [T, 5] -> lstm 4 layers=10001", "wrong-argument"),
    ("input [T, 5] -> lstm 4 dropout=2", "wrong-argument"),
    ("input [T, 5] -> rnn 4 nonlinearity=gelu", "wrong-argument"),
    ("input [T, 5] -> gru 4 proj_size=3", "unknown-argument"),
    ("input [T, 5] -> lstm 4 proj_size=4", "bad-argument"),
    ("input [T, 5] -> lstm 1 proj_size=1", "bad-argument"),
    ("input [T, C] -> lstm 4", "symbolic-parameter"),
    (f"{_STATE.format(1, 4)}; (x, h) -> lstm 4", "wrong-number-of-tensors"),
    (f"{_STATE.format(1, 4)}; (x, h, h) -> gru 4", "wrong-number-of-tensors"),
    (f"{_STATE.format(1, 4)}; (x, h) -> gru 4 layers=2", "wrong-size"),
    (f"{_STATE.format(1, 4)}; (x, h) -> gru 3", "wrong-size"),
    (f"{_STATES.format(1, 4, 1, 4)}; (x, h, c) -> lstm 4 proj_size=3", "wrong-size"),
    (f"{_STATES.format(1, 4, 1, 3)}; (x, h, c) -> lstm 4", "wrong-size"),
    ("x = input [T, 5]; h = input [4]; (x, h) -> gru 4", "wrong-rank"),
    ("x = input [T, 5]; h = input [1, 3, 4] batch=false; (x, h) -> gru 4", "unprovable"),
    ("x = input [T, 5]; h = input [1, N, 4] float64 batch=false; (x, h) -> gru 4", "dtype-mismatch"),
    ("(y, h, c) = input [T, 5] -> gru 4; out y, h, c", "wrong-unpacking"),
    ("input 5 -> gru 4", "wrong-rank"),
    ("input [5] batch=false -> rnn 4", "wrong-rank"),
    ("x = input [T, 5] batch=false; h = input [1, 1, 4] batch=false; (x, h) -> gru 4", "wrong-rank"),
    ("x = input [T, 5] batch=false; h = input [2, 4] batch=false; (x, h) -> gru 4", "wrong-size"),
]
