"""Writing images: FITS, plain or compressed, binned versions, and JPEG previews."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from PIL import Image

from vo.errors import UsageFault
from vo.pixels.cards import Value

Pixels = NDArray[np.generic]
HeaderCards = Sequence[tuple[str, Value, str]]

#: Percentiles of the pixel values that become black and white in a preview.
_BLACK, _WHITE = 1.0, 99.5
_TILE = 256


def write_fits(
    path: Path, data: Pixels, header: fits.Header | HeaderCards, compress: Literal["RICE_1", "GZIP_2"] | None = None
) -> None:
    """Write an image [height, width] with these cards; the same input gives the same bytes.

    ``compress`` stores it in tiles of 256 x 256 in the first extension, without loss.
    """
    cards = header if isinstance(header, fits.Header) else fits.Header([fits.Card(*card) for card in header])
    if compress is None:
        fits.PrimaryHDU(data, cards).writeto(path, overwrite=True)
        return
    tile = (min(_TILE, data.shape[0]), min(_TILE, data.shape[1]))
    image = fits.CompImageHDU(data, cards, compression_type=compress, tile_shape=tile, quantize_level=0.0)
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(path, overwrite=True)


def bin_image(data: Pixels, factor: int) -> Pixels:
    """The means of ``factor`` x ``factor`` pixels in the same type; incomplete ones at the far edges are left out.

    Integers are rounded. ``ImageWCS.binned(factor)`` is the matching solution.
    """
    height, width = (size // factor for size in data.shape)
    if min(height, width) < 1:
        raise UsageFault(f"an image of {data.shape[1]} x {data.shape[0]} pixels cannot be binned by {factor}")
    whole = data[: height * factor, : width * factor].reshape(height, factor, width, factor)
    means = whole.mean(axis=(1, 3), dtype=np.float64)
    if np.issubdtype(data.dtype, np.integer):
        means = np.rint(means)
    binned: Pixels = means.astype(data.dtype)
    return binned


def write_jpeg(path: Path, data: Pixels, max_size: int | None = None) -> None:
    """Write a picture of an image, its first row at the bottom as FITS counts; ``max_size`` limits the longer side.

    [height, width] of numbers is stretched between percentiles; [height, width, 3] of uint8 is a drawing in colour,
    first row at the top, and is written as it is.
    """
    picture = Image.fromarray(np.asarray(data, dtype=np.uint8)) if data.ndim == 3 else Image.fromarray(_stretched(data))  # noqa: PLR2004  colour
    if max_size is not None and max(picture.size) > max_size:
        picture.thumbnail((max_size, max_size), Image.Resampling.LANCZOS)
    picture.save(path, "JPEG", quality=85, optimize=True)


def _stretched(data: Pixels) -> NDArray[np.uint8]:
    """Grey levels between the percentiles, first row at the top; what is not a number is black."""
    step = max(1, int(np.sqrt(data.size / 1e6)))
    sample = np.asarray(data[::step, ::step], dtype=np.float64)
    known = sample[np.isfinite(sample)]
    if not known.size:
        return np.zeros(data.shape, dtype=np.uint8)
    low, high = np.percentile(known, [_BLACK, _WHITE])
    scaled = (np.asarray(data, dtype=np.float32)[::-1] - low) * (255.0 / ((high - low) or 1.0))
    grey = np.clip(np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0), 0.0, 255.0)
    return np.asarray(grey, dtype=np.uint8)
