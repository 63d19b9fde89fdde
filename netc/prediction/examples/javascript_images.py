"""Write the lines of a page that read an image as training does.

The pixels are Pillow's: a browser's own scaling gives other numbers. Where a browser cannot give the pixels of the file, as for images with
transparency, the page refuses the image.
"""

from __future__ import annotations

import json
from string import Template

from ...training.data.pictures import ImageDecoder
from .example_plan import NoExample

_READING = Template("""
const size = $size, channels = $channels;

// The weights of Pillow's bilinear filter for one axis, as integers with 22 binary digits.
function makeWeights(from, to) {
  const scale = from / to, support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), from);
    const weights = Array.from({ length: end - start }, (_, j) => Math.max(0, 1 - Math.abs((start + j - center + 0.5) / support)));
    const sum = weights.reduce((before, weight) => before + weight, 0);
    return { start, weights: weights.map((weight) => Math.trunc((weight / sum) * (1 << 22) + 0.5)) };
  });
}

// Scale the columns of rows of pixels. The rows are scaled by the same function, on the transposed image.
function scaleColumns(pixels, width, height, newWidth) {
  if (width === newWidth) return pixels;
  const result = new Uint8Array(newWidth * height * channels);
  makeWeights(width, newWidth).forEach(({ start, weights }, x) => {
    for (let y = 0; y !== height; ++y)
      for (let c = 0; c !== channels; ++c) {
        let sum = 1 << 21;
        weights.forEach((weight, j) => (sum += pixels[(y * width + start + j) * channels + c] * weight));
        result[(y * newWidth + x) * channels + c] = Math.min(sum >> 22, 255);
      }
  });
  return result;
}

function transpose(pixels, width, height) {
  const result = new Uint8Array(pixels.length);
  for (let y = 0; y !== height; ++y)
    for (let x = 0; x !== width; ++x)
      for (let c = 0; c !== channels; ++c) result[(x * height + y) * channels + c] = pixels[(y * width + x) * channels + c];
  return result;
}

// Half of a number, rounded to the even neighbor.
function halve(number) {
  const half = Math.floor(number / 2);
  return number % 2 === 0 ? half : half + (half % 2);
}

async function readPixels(file) {
  const head = new Uint8Array(await file.slice(0, 32).arrayBuffer());
  if (head[1] === 0x50 && head[2] === 0x4e && head[24] > 8) throw new Error("the pixels are not of 8 bits");
  const options = { colorSpaceConversion: "none", imageOrientation: "none", premultiplyAlpha: "none" };
  const bitmap = await createImageBitmap(file, options).catch(() => {
    throw new Error("the file is no image that this browser knows");
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Uint8Array(width * height * channels);
  for (let i = 0; i !== width * height; ++i) {
    const [red, green, blue, alpha] = data.subarray(4 * i, 4 * i + 4);
    // a browser changes the colors of such pixels
    if (alpha !== 255) throw new Error("the image is transparent: save it without an alpha channel");
    if (channels === 1) pixels[i] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    else pixels.set([red, green, blue], 3 * i);
  }
  return { pixels, width, height };
}

function scale({ pixels, width, height }, newWidth, newHeight) {
  const scaled = transpose(scaleColumns(pixels, width, height, newWidth), newWidth, height);
  return { pixels: transpose(scaleColumns(scaled, height, newWidth, newHeight), newHeight, newWidth), width: newWidth, height: newHeight };
}

function resize(image) {
  if (size === null) return { ...image, left: 0, top: 0, outWidth: image.width, outHeight: image.height };
  if (Array.isArray(size)) return { ...scale(image, size[1], size[0]), left: 0, top: 0, outWidth: size[1], outHeight: size[0] };
  const short = Math.min(image.width, image.height);
  const [width, height] = [image.width, image.height].map((side) => Math.trunc((size * side) / short));
  const scaled = scale(image, width, height);
  return { ...scaled, left: halve(width - size), top: halve(height - size), outWidth: size, outHeight: size };
}

async function makeInputs(file) {
  const { pixels, width, left, top, outWidth, outHeight } = resize(await readPixels(file));
  const numbers = new $array(channels * outWidth * outHeight);
  for (let c = 0; c !== channels; ++c)
    for (let y = 0; y !== outHeight; ++y)
      for (let x = 0; x !== outWidth; ++x)
        numbers[(c * outHeight + y) * outWidth + x] = $number;
  return { $name: new ort.Tensor("$dtype", numbers, [1, channels, outHeight, outWidth]) };
}""")
_CHANNELS = (1, 3)


def write_image_reading(name: str, dtype: str, array: str, decoder: ImageDecoder) -> list[str]:
    """Write the function `makeInputs`, which makes the tensor of the only input from a file. `array` is the class of its numbers."""
    if decoder.channels not in _CHANNELS:
        raise NoExample("a browser changes the colors of transparent pixels: write `--example python`")
    pixel = "pixels[((top + y) * width + left + x) * channels + c]"
    number = f"{pixel} / 255" if decoder.floats else f"BigInt({pixel})" if dtype == "int64" else pixel
    text = _READING.substitute(
        size=json.dumps(decoder.size), channels=decoder.channels, array=array, number=number, name=json.dumps(name), dtype=dtype
    )
    return text.split("\n")
