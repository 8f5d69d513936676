"""Draws what the photographs of a plate and of its jacket would show."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vo.demo.plates import RenderedPlate

PHOTO_WIDTH = 900
INK, PENCIL = (28, 32, 70), (90, 84, 78)


def draw_plate(plate: RenderedPlate, scan: NDArray[np.int16] | None, *, is_clean: bool = False) -> NDArray[np.uint8]:
    """The glass on a light table, uint8[height, width, 3], first row on top; ``scan`` is the plate's image, if any.

    ``is_clean`` leaves out what people had written on the glass.
    """
    height = round(PHOTO_WIDTH * plate.series.height_mm / plate.series.width_mm)
    glass = Image.new("L", (PHOTO_WIDTH, height), 46)
    if scan is not None:
        step = max(scan.shape[1] // PHOTO_WIDTH, 1)
        # a negative by transmitted light: stars are dark specks on grey glass
        grey = np.clip(120.0 - scan[::-step, ::step].astype(np.float32) / 60.0, 8, 255).astype(np.uint8)
        glass = Image.fromarray(grey).resize((PHOTO_WIDTH, height))
    photo = Image.merge("RGB", (glass.point(_times(0.95)), glass, glass.point(_times(0.9))))
    if is_clean:
        return np.asarray(photo)
    pen = ImageDraw.Draw(photo)
    draw = np.random.Generator(np.random.PCG64(zlib.crc32(b"glass" + plate.plate_id.encode())))
    for _ in range(5):
        _loop(pen, draw, height)
    _write(photo, (36, 30), f"SYNTHETIC  No. {plate.plate_id}", 40, (215, 205, 235), draw)
    _write(photo, (PHOTO_WIDTH // 2, height - 90), _date(plate), 30, (215, 205, 235), draw)
    return np.asarray(photo)


def draw_jacket(plate: RenderedPlate) -> NDArray[np.uint8]:
    """The paper sleeve with the observer's entries, uint8[height, width, 3], first row on top."""
    height = 720
    draw = np.random.Generator(np.random.PCG64(zlib.crc32(b"paper" + plate.plate_id.encode())))
    fibre = draw.normal(0.0, 4.0, (height, PHOTO_WIDTH, 1)) + np.array([214.0, 196.0, 158.0])
    photo = Image.fromarray(np.clip(fibre, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(photo)
    pen.rectangle((14, 14, PHOTO_WIDTH - 15, height - 15), outline=PENCIL, width=3)
    pen.text((40, 34), "SYNTHETIC PLATE - vo-plates demo", fill=(140, 30, 30), font=ImageFont.load_default(size=34))
    for row, (label, entry) in enumerate(_entries(plate)):
        y = 110 + 62 * row
        pen.text((40, y + 12), label, fill=PENCIL, font=ImageFont.load_default(size=20))
        pen.line((190, y + 46, PHOTO_WIDTH - 50, y + 46), fill=PENCIL, width=1)
        room = (PHOTO_WIDTH - 60 - 200) / (1.05 * ImageFont.load_default(size=32).getlength(entry or " "))
        _write(photo, (200, y), entry, min(32, int(32 * room)), INK, draw)
    return np.asarray(photo)


def _entries(plate: RenderedPlate) -> list[tuple[str, str]]:
    first = plate.pointings[0]
    more = f" (and {len(plate.pointings) - 1} more)" if len(plate.pointings) > 1 else ""
    return [
        ("Plate", plate.plate_id),
        ("Telescope", plate.series.instrument_name),
        ("Date", _date(plate)),
        ("Exposure", f"{first.minutes:.0f} min{more}"),
        ("Region", f"RA {first.ra:.1f}  Dec {first.dec:+.1f}"),
        ("Object", first.target_name or ""),
        ("Emulsion", plate.series.emulsion),
        ("Observer", _ascii(first.observer)),
        ("Remarks", plate.shows),
    ]


def _ascii(name: str | None) -> str:
    """The name where the drawing font has its letters, else a note that points to the database."""
    if name is not None and not name.isascii():
        return "(see the catalogue)"
    return name or ""


def _date(plate: RenderedPlate) -> str:
    return plate.pointings[0].start.strftime("%Y %b %d, %H:%M UT")


def _times(factor: float) -> list[int]:
    return [min(255, round(value * factor)) for value in range(256)]


def _loop(pen: ImageDraw.ImageDraw, draw: np.random.Generator, height: int) -> None:
    """A ring in ink around something an observer found worth a mark, with a short stroke to a number."""
    x = float(draw.uniform(120, PHOTO_WIDTH - 160))
    y = float(draw.uniform(140, height - 160))
    size = float(draw.uniform(14, 30))
    pen.ellipse((x - size, y - size, x + size, y + 0.9 * size), outline=(200, 190, 230), width=2)
    pen.line((x + size, y - size, x + 2 * size, y - 2 * size), fill=(200, 190, 230), width=2)
    label = "abcdefghk"[int(draw.integers(9))]
    pen.text((x + 2 * size, y - 2 * size - 20), label, fill=(200, 190, 230), font=ImageFont.load_default(size=22))


def _write(
    photo: Image.Image,
    place: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    draw: np.random.Generator,
) -> None:
    """Text letter by letter, each a little off the line, as by hand."""
    font = ImageFont.load_default(size=size)
    pen = ImageDraw.Draw(photo)
    x = float(place[0])
    for letter in text:
        pen.text((x, place[1] + float(draw.normal(0.0, 0.05 * size))), letter, fill=colour, font=font)
        x += font.getlength(letter) * float(draw.uniform(0.96, 1.06))
