"""Operators of ONNX that have no counterpart, and why."""

from __future__ import annotations

from ..importer_table import without

without(
    "works on sequences of tensors, which netc does not have",
    "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap",
    "SplitToSequence", "ConcatFromSequence",
)  # fmt: skip
without("works on values that may be absent, which netc does not have", "Optional", "OptionalGetElement", "OptionalHasElement")
without(
    "works on strings, which netc does not have", "StringConcat", "StringNormalizer", "StringSplit", "RegexFullMatch", "TfIdfVectorizer"
)
without("makes a result whose size depends on data", "NonZero", "Unique", "Compress", "NonMaxSuppression")
without(
    "draws random numbers, which a graph for inference does not",
    *(["RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli"]),
)
without("has no counterpart in netc", "Det", "MaxRoiPool", "ImageDecoder", "BitCast")
without("trains; a graph is for inference", "Gradient", "Adagrad", "Adam", "Momentum")
without("is computed at import, and depends on data here", "BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix")
