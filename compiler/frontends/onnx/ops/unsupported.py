"""Registers the operators of ONNX that have no counterpart, with the reason: `NonZero` "makes a result whose size depends on data"."""

from __future__ import annotations

from ..importer_table import register_unsupported

register_unsupported(
    "works on sequences of tensors, which netc does not have",
    "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap",
    "SplitToSequence", "ConcatFromSequence",
)  # fmt: skip
register_unsupported("works on values that may be absent, which netc does not have", "Optional", "OptionalGetElement", "OptionalHasElement")
register_unsupported(
    "works on strings, which netc does not have", "StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"
)
register_unsupported("makes a result whose size depends on data", "NonZero", "Unique", "Compress", "NonMaxSuppression")
register_unsupported(
    "draws random numbers, which a graph for inference does not",
    *(["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"]),
)
register_unsupported("has no counterpart in netc", "Det", "MaxRoiPool", "ImageDecoder", "BitCast")
register_unsupported("trains; a graph is for inference", "Gradient", "Adagrad", "Adam", "Momentum")
register_unsupported("is computed at import, and depends on data here", "BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix")
register_unsupported("makes a list of dicts; `--output-name` chooses the tensor before it as the output", "ai.onnx.ml:ZipMap")
