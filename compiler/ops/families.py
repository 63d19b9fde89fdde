"""The operators of each family, in the order of their definition, and those that are symbols: between and before tensors.

Always: `pytest tests/ops/test_families.py --update` writes this.

    >>> SYMBOLS["+"], "relu" in FAMILIES["activation"].split()
    ('add', True)
"""

FAMILIES = {
    "activation": (
        "relu relu6 leaky_relu prelu elu selu celu gelu silu mish hardswish hardsigmoid hardtanh sigmoid tanh softplus "
        "softsign logsigmoid hardshrink softshrink tanhshrink threshold glu softmax log_softmax softmin"
    ),
    "arithmetic": "add sub mul div floor_div remainder pow maximum minimum clamp",
    "assignment": "match",
    "attention": "attention",
    "binary": "atan2 hypot logaddexp fmod lerp",
    "bitwise": "bitwise_and bitwise_or bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift",
    "classification_loss": "nll_loss cross_entropy linear_cross_entropy",
    "comparison": "eq ne lt le gt ge logical_and logical_or logical_xor isnan isinf isfinite where",
    "constants": "param table",
    "convolution": "conv conv_transpose",
    "cumulative": "logcumsumexp cummax cummin diff",
    "dense": "dense bilinear embedding embedding_bag",
    "diagonals": "diagonal diag_embed",
    "differentiation": "gradient",
    "elementwise": (
        "neg abs floor ceil round trunc sign square nan_to_num logical_not exp exp2 expm1 log log2 log10 log1p sqrt "
        "rsqrt reciprocal erf"
    ),
    "experts": "grouped_linear",
    "folding": "pixel_shuffle pixel_unshuffle channel_shuffle unfold fold sliding_window",
    "indexing": "gather scatter scatter_reduce index_select index_add one_hot tril triu masked_fill",
    "joining": "concat stack split chunk",
    "linear_algebra": "matmul einsum outer cosine_similarity cross cdist",
    "margin_loss": (
        "hinge_embedding_loss margin_ranking_loss soft_margin_loss cosine_embedding_loss triplet_margin_loss "
        "multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss"
    ),
    "multihead": "multihead_attention",
    "normalization": "batch_norm standardize instance_norm group_norm layer_norm rms_norm local_response_norm spectral_normalize",
    "pooling": "max_pool avg_pool lp_pool adaptive_avg_pool adaptive_max_pool global_avg_pool global_max_pool",
    "probability_loss": "binary_cross_entropy binary_cross_entropy_with_logits kl_div",
    "rearrange": "rearrange",
    "recurrent": "rnn gru lstm",
    "recurrent_cell": "rnn_cell gru_cell lstm_cell",
    "reduction": "mean sum prod max min argmax argmin var std norm normalize logsumexp any all cumsum cumprod",
    "regression_loss": "l1_loss mse_loss smooth_l1_loss huber_loss poisson_nll_loss gaussian_nll_loss",
    "regularization": "identity detach dropout channel_dropout alpha_dropout drop_path rrelu",
    "resampling": "upsample grid_sample",
    "rotary": "rotary",
    "sequence_loss": "ctc_loss",
    "shape": "flatten unflatten reshape permute transpose squeeze unsqueeze expand cast",
    "short_time": "stft istft",
    "slicing": "slice select pad flip roll tile repeat_interleave",
    "sorting": "topk sort argsort bucketize",
    "special": "erfc erfinv lgamma digamma",
    "spectral": "rfft irfft fft ifft",
    "trigonometry": "sin cos tan asin acos atan sinh cosh asinh acosh atanh",
    "unpooling": "max_unpool fractional_max_pool",
    "vision": "deform_conv roi_align",
}  # fmt: skip
SYMBOLS = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "div",
    "//": "floor_div",
    "%": "remainder",
    "**": "pow",
    "==": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "@": "matmul",
}
PREFIXES = {
    "-": "neg",
}
