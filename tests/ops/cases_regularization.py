"""Models of the regularization family for the differential tests, and what it refuses."""

from torch.nn import functional as F  # noqa: N812

CASES = [
    "input 3 -> identity",
    "input [T, 3] int64 -> identity",
    "input [] batch=false -> identity",
    "x = input [T, 3]; x + (round(x) - x -> detach)",
    "input [T, 3] int64 -> detach",
    "input 3 -> (dense 4 -> detach -> dense 2) as head",
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
    "input 3x4 -> channel_dropout",
    "input 3x4x5 -> channel_dropout 0.1 -> relu",
    "input 3x4x5xT -> (channel_dropout 0.1 -> relu) as head",
    "input [3, 4] float16 -> channel_dropout p=1",
    "input [T, 3] -> selu -> alpha_dropout 0.1",
    "input [3] float16 -> (selu -> alpha_dropout) as head",
    "input [T, 3] -> rrelu",
    "input [3] float64 -> rrelu 0.1 0.3",
    "input [3] float16 -> rrelu lower=-1 upper=0.5",
    "input 3 -> dense 4 rrelu",
    "input [3] -> (dense 3 -> rrelu 0.2 0.2) as head",
]

REFUSED = [
    ("input [3] int64 -> dropout", "needs-float"),
    ("input 3 -> dropout 1.5", "wrong-argument"),
    ("input 3 -> dropout p=(-0.1)", "wrong-argument"),
    ("input [] -> drop_path 0.1", "wrong-rank"),
    ("input [3] int64 -> drop_path 0.1", "needs-float"),
    ("input 3 -> channel_dropout", "wrong-rank"),
    ("input [3, 4] int64 -> channel_dropout", "needs-float"),
    ("input [3, 4] -> channel_dropout 2", "wrong-argument"),
    ("input [3] int64 -> alpha_dropout", "needs-float"),
    ("input 3 -> alpha_dropout 1.5", "wrong-argument"),
    ("input 3 -> drop_path 2", "wrong-argument"),
    ("input 3 -> rrelu 0.5 0.1", "bad-argument"),
    ("input [3] int64 -> rrelu", "needs-float"),
]

REFERENCES = {"detach": lambda args, x: x.detach(), "rrelu": lambda args, x: F.rrelu(x, args.lower, args.upper, args.training)}
