"""Models of the regularization family for the differential tests, and what it refuses."""

CASES = [
    "input 3 -> identity",
    "input [T, 3] int64 -> identity",
    "input [] batch=false -> identity",
    "input 3 -> dropout",
    "input [T, 3] -> dropout 0.1 -> dense 2",
    "input 3 -> dropout p=0",
    "input 3 -> dropout 1",
    "input [3] float16 -> dropout 0.2",
    "input 3 -> (dropout 0.1 -> dense 2 -> identity) as head",
    "input 3 -> drop_path 0.1",
    "x = input [T, 3]; x + (x -> dense 3 -> drop_path 0.1)",
    "x = input 3xHxW; x + (x -> relu -> drop_path 0.2)",
    "input 2x3x4x5 -> drop_path 0.2",
    "x = input [T, 3]; x + (x -> (dense 3 -> drop_path 0.1) as branch)",
]

REFUSED = [
    ("input [3] int64 -> dropout", "needs-float"),
    ("input 3 -> dropout 1.5", "wrong-argument"),
    ("input 3 -> dropout p=(-0.1)", "wrong-argument"),
    ("input [] -> drop_path 0.1", "wrong-rank"),
    ("input [3] int64 -> drop_path 0.1", "needs-float"),
    ("input 3 -> drop_path 2", "wrong-argument"),
]
