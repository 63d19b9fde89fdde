"""The families of the zoo that `netc import` knows: each file registers the readers of one of them."""

from __future__ import annotations

from . import bert, clip, gpt2, llama, mamba, rwkv, t5, vit, whisper

__all__ = ["bert", "clip", "gpt2", "llama", "mamba", "rwkv", "t5", "vit", "whisper"]
