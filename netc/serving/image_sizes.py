"""Refuse images with too many pixels before they are decoded: a small file may be a huge picture.

>>> from PIL import Image
>>> Image.new("1", (8000, 8000)).save(file := BytesIO(), "png")
>>> len(file.getvalue()) < 100_000
True
>>> check_image_size("white.png", file.getvalue())
Traceback (most recent call last):
netc.serving.request_refused.RequestRefused: `white.png` has 64,000,000 pixels, and the limit is 50,000,000
"""

from __future__ import annotations

from io import BytesIO

from .request_refused import TOO_LARGE, RequestRefused

MAX_PIXELS = 50_000_000


def check_image_size(name: str, content: bytes) -> None:
    """Read the header of an image. Raises `RequestRefused` if it is too large. Damaged images are left to the decoder, which explains."""
    from PIL import Image

    try:
        with Image.open(BytesIO(content)) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise RequestRefused(TOO_LARGE, f"`{name}` has more pixels than the limit, {MAX_PIXELS:,}") from None
    except (OSError, SyntaxError, ValueError):
        return
    if width * height > MAX_PIXELS:
        raise RequestRefused(TOO_LARGE, f"`{name}` has {width * height:,} pixels, and the limit is {MAX_PIXELS:,}")
