"""Models of parameters for the differential tests, and what they refuse."""

CASES = [
    "x = input [2, 3]; p = param [2, 3] init=normal(0.02) as p; x + p",
    "x = input [2, 3]; p = param [1, 3] init=normal as p; x * p",
    "x = input 3; p = param [3] init=ones as p; x * p",
    "x = input 3; p = param [3] init=zeros as p; x + p",
    "x = input 3; p = param [3] init=0.5 as p; x * p",
    "x = input 3; p = param [] init=2 as p; x * p",
    "x = input 3; p = param [3] init=uniform(-1, 1) as p; x + p",
    "x = input [3, 4]; p = param [3, 4] init=xavier_uniform as p; x * p",
    "x = input 3; p = param [3] init=uniform(-1, 1) trainable=false as p; x + p",
    "x = input 3 int64; p = param [3] int64 init=7 trainable=false as p; x + p",
    "x = input 3 float16; p = param [3] float16 init=normal as p; x + p",
    "x = input 3 float64; p = param [3] float64 init=0.1 as p; x + p",
]

REFUSED = [
    ("x = input [T]; p = param [T] as p; x + p", "symbolic-parameter"),
    ("x = input [3]; p = param [N, 3] as p; x + p", "symbolic-parameter"),
    ("x = input 3; p = param [0] as p; x + p", "empty-result"),
    ("x = input 3; p = param [3] int64 as p; x + p", "untrainable-type"),
    ("x = input 3; p = param [3] int64 init=normal trainable=false as p; x + p", "init-needs-float"),
    ("x = input 3; p = param [3] int64 init=0.5 trainable=false as p; x + p", "init-out-of-range"),
    ("x = input 3; p = param [3] float16 init=1e6 as p; x + p", "init-out-of-range"),
    ("x = input 3; p = param [3] float16 init=uniform(0, 1e6) as p; x + p", "init-out-of-range"),
    ("x = input 3; p = param [3] int8 init=300 trainable=false as p; x + p", "init-out-of-range"),
    ("x = input 3; p = param [3] init=xavier_uniform as p; x + p", "init-needs-matrix"),
    ("x = input 3; p = param [3] init=uniform(1, -1) as p; x + p", "bad-initializer"),
    ("x = input 3; p = param [3] init=normal(1, 2, 3) as p; x + p", "too-many-arguments"),
]
