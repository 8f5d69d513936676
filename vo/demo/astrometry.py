"""Solutions of the rendered plates, written as FITS cards the way plate solvers write them.

WCS as in FITS standard 4.0 section 8; distortions: SIP (Shupe et al. 2005, ADASS XIV, 491) and TPV
(the FITS registry of conventions). Nothing here projects: pixels come from the cards through :mod:`vo.pixels.wcs`, so
stars fall where a reader of the header finds them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from astropy.io import fits

from vo.demo.logbook import mjd
from vo.demo.plates import Pointing, RenderedPlate
from vo.pixels.wcs import ImageWCS

Value = str | float | int | bool
Card = tuple[str, Value, str]

#: Alternate letters of the solutions on one plate, in order (FITS standard 4.0, section 8.2.1).
KEYS = " ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def wcs_cards(plate: RenderedPlate, pointing: Pointing, key: str) -> list[Card]:
    """The cards of one solution; ``key`` is its alternate letter, " " for the untagged one."""
    suffix = key.strip()
    axis = {"none": "TAN", "sip": "TAN-SIP", "tpv": "TPV"}[plate.distortion]
    scale = plate.pixel_scale / 3600.0
    sine, cosine = (math.sin(math.radians(pointing.rotation)), math.cos(math.radians(pointing.rotation)))
    parity = 1.0 if plate.mirrored else -1.0
    cards: list[Card] = [
        ("WCSAXES" + suffix, 2, "axes of the solution"),
        ("RADESYS" + suffix, "ICRS", ""),
        ("CTYPE1" + suffix, _ctype("RA", axis), ""),
        ("CTYPE2" + suffix, _ctype("DEC", axis), ""),
        ("CUNIT1" + suffix, "deg", ""),
        ("CUNIT2" + suffix, "deg", ""),
        ("CRVAL1" + suffix, pointing.ra, "[deg]"),
        ("CRVAL2" + suffix, pointing.dec, "[deg]"),
        ("CRPIX1" + suffix, (plate.width + 1) / 2.0, "[pixel]"),
        ("CRPIX2" + suffix, (plate.height + 1) / 2.0, "[pixel]"),
        ("CD1_1" + suffix, parity * scale * cosine, "[deg/pixel]"),
        ("CD1_2" + suffix, scale * sine, "[deg/pixel]"),
        ("CD2_1" + suffix, -parity * scale * sine, "[deg/pixel]"),
        ("CD2_2" + suffix, scale * cosine, "[deg/pixel]"),
    ]
    if plate.distortion == "sip":
        cards += _sip(plate)
    if plate.distortion == "tpv":
        cards += _tpv()
    return cards


def _ctype(axis: str, projection: str) -> str:
    """``RA---TAN``, ``DEC--TAN``, ``RA---TAN-SIP``: the name padded with hyphens to four, a hyphen, the projection."""
    return f"{axis:-<4}-{projection}"


def _sip(plate: RenderedPlate) -> list[Card]:
    """A cubic that moves the corners by about 10 pixels."""
    half = plate.width / 2.0
    return [
        ("A_ORDER", 3, "SIP order, x"),
        ("A_2_0", 2.0 / half**2, ""),
        ("A_1_1", -1.0 / half**2, ""),
        ("A_3_0", 6.0 / half**3, ""),
        ("A_1_2", 5.0 / half**3, ""),
        ("B_ORDER", 3, "SIP order, y"),
        ("B_0_2", -2.0 / half**2, ""),
        ("B_1_1", 1.5 / half**2, ""),
        ("B_0_3", 6.0 / half**3, ""),
        ("B_2_1", 5.0 / half**3, ""),
    ]


def _tpv() -> list[Card]:
    """A radial cubic, 0.5 % at three degrees from the centre, and a little tilt."""
    cubic = 5.5e-4
    return [
        ("PV1_0", 0.0, ""),
        ("PV1_1", 1.0, ""),
        ("PV1_2", 0.0, ""),
        ("PV1_4", 2.0e-5, ""),
        ("PV1_7", cubic, ""),
        ("PV1_9", cubic, ""),
        ("PV2_0", 0.0, ""),
        ("PV2_1", 1.0, ""),
        ("PV2_2", 0.0, ""),
        ("PV2_4", -3.0e-5, ""),
        ("PV2_7", cubic, ""),
        ("PV2_9", cubic, ""),
    ]


def header_cards(plate: RenderedPlate, *, solved: bool) -> list[Card]:
    """The cards of a scan's header: what it is, that it is synthetic, and its solutions when ``solved``.

    Cards are ASCII, as FITS requires: names of observers are kept in the database only.
    """
    first = plate.pointings[0]
    cards: list[Card] = [
        ("SYNTHET", True, "SYNTHETIC: no telescope took this image"),
        ("ORIGIN", "vo-plates demo, SYNTHETIC", ""),
        ("PLATEID", plate.plate_id, "plate of the collection demo"),
        ("TELESCOP", plate.series.facility_name, ""),
        ("INSTRUME", plate.series.instrument_name, ""),
        ("OBJECT", first.target_name or "", ""),
        ("DATE-OBS", first.start.strftime("%Y-%m-%dT%H:%M:%S"), "start of the first exposure, UTC"),
        ("MJD-OBS", mjd(first.start), "the same"),
        ("TIMESYS", "UTC", ""),
        ("EXPTIME", first.minutes * 60.0, "[s] of the first exposure"),
        ("NEXP", len(plate.pointings), "exposures on this plate"),
        ("BUNIT", "adu", "density: stars are bright"),
    ]
    if not solved:
        return cards
    for key, pointing in zip(KEYS, plate.pointings, strict=False):
        cards += wcs_cards(plate, pointing, key)
    return cards


def header(plate: RenderedPlate, *, solved: bool) -> fits.Header:
    """The scan's header as FITS has it, with the image's size and, when ``solved``, its solutions."""
    made = fits.Header()
    made["NAXIS"] = 2
    made["NAXIS1"] = plate.width
    made["NAXIS2"] = plate.height
    for keyword, value, comment in header_cards(plate, solved=solved):
        made[keyword] = (value, comment)
    made.add_comment("SYNTHETIC: made by vo demo, of no use for science.")
    return made


def binned_header(plate: RenderedPlate, solutions: Sequence[ImageWCS], factor: int) -> fits.Header:
    """The header of the scan's mean over ``factor`` x ``factor`` pixels, with ``solutions`` on the coarser grid."""
    made = header(plate, solved=False)
    made["NAXIS1"], made["NAXIS2"] = plate.width // factor, plate.height // factor
    made["BINNING"] = (factor, "scan pixels along each axis of one pixel here")
    for solution in solutions if plate.solved else ():
        solved = fits.Header.fromstring(solution.binned(factor).header_text(), sep="\n")
        made.extend(card for card in solved.cards if card.keyword not in made)
    return made
