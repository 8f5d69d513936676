"""A solution on the pixels of a file: turned as the file lies, binned as it is binned."""

from __future__ import annotations

from vo.db.records import Product, Scan, Solution
from vo.pixels.wcs import ImageWCS, load_solution


def file_wcs(solution: Solution, product: Product, scan: Scan | None) -> ImageWCS | None:
    """The solution on the pixel grid of an image file; None when it is of a grid that does not fit the file's.

    The solutions of a scan with ``turn_deg`` are written for its base files turned by that angle, so they are turned
    back here; a binned base file is the unturned scan binned, without the incomplete pixels at its far edges. Raises
    :class:`vo.pixels.wcs.NoWCSFault` when the solution cannot be used, UsageFault when it cannot be turned.
    """
    wcs = load_solution(solution.header, solution.wcs_key, (solution.width, solution.height))
    if product.is_base and scan is not None and scan.turn_deg:
        wcs = wcs.turned(-scan.turn_deg)
    factor = grid_factor(solution, product, scan)
    if factor is None:
        return None
    shape = _shape(product)
    if factor == 1 and shape in (None, wcs.shape):
        return wcs
    return wcs.binned(factor, shape)


def grid_factor(solution: Solution, product: Product, scan: Scan | None = None) -> int | None:
    """How many pixels of the solution's grid one pixel of the file covers along each axis; None when they do not fit.

    A solution may be written for the whole scan or for the very file it was found in. Base files of a ``scan`` with
    ``turn_deg`` lie turned to the solution's grid; :func:`file_wcs` puts it on their pixels.
    """
    shape = _shape(product)
    if shape is None:
        return product.bin_factor
    grid = (solution.width, solution.height)
    if product.is_base and scan is not None and (scan.turn_deg or 0) % 180 == 90:  # noqa: PLR2004 - a quarter turn
        grid = (solution.height, solution.width)
    if grid == shape:
        return 1
    factor = product.bin_factor
    # Binning drops the last, incomplete pixels or keeps them.
    fits = all(full // factor <= binned <= -(-full // factor) for full, binned in zip(grid, shape, strict=True))
    return factor if fits else None


def _shape(product: Product) -> tuple[int, int] | None:
    if product.width is None or product.height is None:
        return None
    return product.width, product.height
