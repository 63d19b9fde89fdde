"""One-line models of recurrent cells, and those that are refused."""

_CELLS = ("rnn_cell", "gru_cell", "lstm_cell")
_ONE = "x = input {0}; h = input {1}"
_TWO = "x = input {0}; h = input {1}; c = input {1}"
_SINGLE = ("[5] batch=false", "[4] batch=false")

CASES: list[str] = [
    *(f"input 5 -> {name} 4{options}" for name in _CELLS for options in ("", " bias=false")),
    *(f"input [5] batch=false -> {name} 4{options}" for name in _CELLS for options in ("", " bias=false")),
    *(f"input 5 {dtype} -> {name} 4" for name in _CELLS for dtype in ("float16", "bfloat16", "float64")),
    *(f"{_ONE.format(5, 4)}; (x, h) -> {name} 4{options}" for name in ("rnn_cell", "gru_cell") for options in ("", " bias=false")),
    *(f"{_ONE.format('5 float16', '4 float16')}; (x, h) -> {name} 4" for name in ("rnn_cell", "gru_cell")),
    *(f"{_ONE.format(*_SINGLE)}; (x, h) -> {name} 4" for name in ("rnn_cell", "gru_cell")),
    "input 5 -> rnn_cell 4 nonlinearity=relu",
    "x = input [3, 5]; h = input 4; (x -> select 1 0, h) -> gru_cell 4",
    "(h, c) = input 5 -> lstm_cell 4; out h, c",
    "(h, c) = input 5 -> lstm_cell 4; out c",
    *(f"{_TWO.format(5, 4)}; (a, b) = (x, h, c) -> lstm_cell 4{options}; out a, b" for options in ("", " bias=false")),
    f"{_TWO.format('5 float64', '4 float64')}; (x, h, c) -> lstm_cell 4",
    f"{_TWO.format('5 float16', '4 float16')}; (x, h, c) -> lstm_cell hidden_size=4",
    f"{_TWO.format(*_SINGLE)}; (a, b) = (x, h, c) -> lstm_cell 4; out b, a",
    # steps one after the other
    "shared step = lstm_cell 4; x = input [2, 5]; (a, b) = x -> select 1 0 -> step; (x -> select 1 1, a, b) -> step",
    "shared step = gru_cell 4; x = input [2, 5]; h = x -> select 1 0 -> step; (x -> select 1 1, h) -> step",
]

REFUSED: list[tuple[str, str]] = [
    ("input [T, 5] -> lstm_cell 4", "wrong-rank"),
    ("input [] batch=false -> gru_cell 4", "wrong-rank"),
    ("input 5 int64 -> rnn_cell 4", "needs-float"),
    ("input 5 -> gru_cell 0", "wrong-argument"),
    ("input 5 -> gru_cell 4 layers=2", "unknown-argument"),
    ("input [C] -> gru_cell 4", "symbolic-parameter"),
    (f"{_ONE.format(5, 4)}; (x, h) -> lstm_cell 4", "wrong-number-of-tensors"),
    (f"{_ONE.format(5, 3)}; (x, h) -> gru_cell 4", "wrong-size"),
    (f"{_ONE.format(5, '[4] batch=false')}; (x, h) -> gru_cell 4", "wrong-rank"),
    (f"{_ONE.format(5, '[3, 4] batch=false')}; (x, h) -> gru_cell 4", "unprovable"),
    (f"{_ONE.format(5, '4 float64')}; (x, h) -> gru_cell 4", "dtype-mismatch"),
    ("(h, c) = input 5 -> gru_cell 4; out h, c", "wrong-unpacking"),
]
