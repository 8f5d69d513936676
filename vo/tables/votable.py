"""VOTable documents: everything around the rows, and small documents whole.

A document is made of two parts with the rows between them, so that rows can be streamed (:mod:`vo.tables.formats`).
Version 1.4 is written unless 1.5 is asked for, since old clients read it and it has TIMESYS; the namespace of both is
that of 1.3. What 1.5 adds (refposition of COOSYS) says nothing about plates: the two differ in their number alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any, Literal

import pyarrow as pa
from lxml import etree

from vo.metadata.fields import Field
from vo.tables import columns as cols
from vo.tables.descriptor import ServiceDescriptor, add_descriptor
from vo.tables.writing import tabledata

MEDIA_TYPE = "application/x-votable+xml"
NAMESPACE = "http://www.ivoa.net/xml/VOTable/v1.3"

Serialisation = Literal["BINARY2", "BINARY", "TABLEDATA"]
Version = Literal["1.4", "1.5"]

# Marks the places where rows, and INFOs about them, go. A comment cannot come from a text: its "<" would be escaped.
_ORIGIN = "origin"
_ROWS = "rows"
_INFOS = "infos"

_NOT_IN_ID = re.compile(r"[^A-Za-z0-9_.-]")
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_POSITION_XTYPES = frozenset({"point", "circle", "polygon", "adql:point", "adql:region"})
#: Positions in these frames, and those of which only "pos" is said, are not ICRS.
_OTHER_FRAMES = ("pos.galactic", "pos.supergalactic", "pos.ecliptic")
_TIME_UCDS = ("time.start", "time.end", "time.epoch")

#: UCDs of INFOs that name literature (DALI-12).
_INFO_UCDS = {"citation": "meta.bib", "article": "meta.bib"}


@dataclass(frozen=True, slots=True)
class Document:
    """What an answer says besides its rows.

    ``infos`` are (name, value) pairs: the standardID, the query and the data's origin (DALI-11, Data Origin 1.2).
    ``overflow_text`` is what is said when rows were cut off. COOSYS and TIMESYS come from the fields by themselves.
    """

    fields: Sequence[Field]
    infos: Sequence[tuple[str, str]] = ()
    descriptors: Sequence[ServiceDescriptor] = ()
    description: str | None = None
    overflow_text: str = "There are more rows; ask with a larger MAXREC, or narrow the question."


@dataclass(frozen=True, slots=True)
class Frame:
    """A document without its rows: ``head`` goes before them, ``middle`` after them, then INFOs, then ``tail``."""

    head: bytes
    middle: bytes
    tail: bytes


def frame(
    document: Document,
    serialisation: Serialisation,
    version: Version = "1.4",
    numbers: Sequence[int | None] | None = None,
) -> Frame:
    """Make everything but the rows.

    ``numbers`` stand for null, one a field (:func:`vo.tables.writing.nulls.choose`); those that are not None are
    declared. Raises ValueError when a descriptor refers to a column that is not there.
    """
    bare = replace(document, fields=tuple(document.fields), infos=(), descriptors=tuple(document.descriptors))
    begin, rest = _bare_frame(bare, serialisation, version, None if numbers is None else tuple(numbers))
    return replace(rest, head=b"".join((begin, *starmap(_origin_line, document.infos), rest.head)))


@functools.lru_cache(maxsize=256)
def _bare_frame(
    document: Document, serialisation: Serialisation, version: Version, numbers: tuple[int | None, ...] | None
) -> tuple[bytes, Frame]:
    """What goes before the document's INFOs, and the rest of it: the same for every answer with these columns."""
    root = _whole(document, serialisation, version, numbers)
    head, rest = _serialise(root).split(f"<!--{_ROWS}-->".encode())
    begin, head = head.split(f"<!--{_ORIGIN}-->\n".encode())
    middle, tail = rest.split(f"<!--{_INFOS}-->".encode())
    # Rows and INFOs come with their own line ends.
    frame = Frame(head.rstrip(b" "), middle.removeprefix(b"\n").rstrip(b" "), b"  " + tail.lstrip())
    return begin.rstrip(b" "), frame


@functools.lru_cache(maxsize=256)
def _origin_line(name: str, value: str) -> bytes:
    """An INFO before the table; most are the same in every answer."""
    element = etree.Element("INFO", name=legal(name), value=legal(value))
    if name in _INFO_UCDS:
        element.set("ucd", _INFO_UCDS[name])
    return b"    " + etree.tostring(element, encoding="UTF-8", xml_declaration=False) + b"\n"


def without_rows(document: Document, version: Version = "1.4", *, overflow: str | None = None) -> bytes:
    """Make a whole document whose TABLE has no DATA: the description of rows that stand elsewhere.

    ``overflow`` says why rows are missing there.
    """
    text = _serialise(_whole(document, None, version, None))
    after = b"" if overflow is None else info("QUERY_STATUS", "OVERFLOW", overflow)
    before = b"".join(starmap(_origin_line, document.infos))
    return _fill(_fill(text, _ORIGIN, before), _INFOS, after)


def _fill(text: bytes, mark: str, lines: bytes) -> bytes:
    return text.replace(f"    <!--{mark}-->\n".encode(), lines)


def _whole(
    document: Document,
    serialisation: Serialisation | None,
    version: Version,
    numbers: Sequence[int | None] | None,
) -> etree._Element:
    root, results = _begin(document, "OK", version=version)
    ids = _add_systems_and_table(results, document, serialisation, numbers or [None] * len(document.fields))
    results.append(etree.Comment(_INFOS))
    for descriptor in document.descriptors:
        add_descriptor(root, descriptor, ids)
    return root


def info(name: str, value: str, text: str | None = None) -> bytes:
    """One INFO for the place after the table (DALI-07, DALI-10)."""
    element = etree.Element("INFO", name=name, value=legal(value))
    element.text = None if text is None else legal(text)
    return b"    " + etree.tostring(element) + b"\n"


def write_rows(document: Document, rows: Sequence[Sequence[object]], *, overflow: bool = False) -> bytes:
    """Write a small document whole, as TABLEDATA; each row has one value a field, None is null.

    ``overflow`` says that rows are missing. Raises pyarrow.ArrowInvalid or ArrowTypeError for a value that does not
    fit its field.
    """
    columns = _from_rows(document.fields, rows)
    fields = tuple(map(shown_field, document.fields, columns))
    parts = frame(replace(document, fields=fields), "TABLEDATA")
    body = tabledata.encode(fields, columns)
    after = info("QUERY_STATUS", "OVERFLOW", document.overflow_text) if overflow else b""
    return b"".join((parts.head, body, parts.middle, after, parts.tail))


def fault_document(text: str, infos: Sequence[tuple[str, str]] = ()) -> bytes:
    """Write a document that says why there is no table (DALI-09, DALI-13)."""
    root, _ = _begin(Document(()), "ERROR", text)
    return _fill(_serialise(root), _ORIGIN, b"".join(starmap(_origin_line, infos)))


def legal(text: str) -> str:
    """Give a text in which characters that XML cannot carry are U+FFFD."""
    return _ILLEGAL.sub(tabledata.REPLACEMENT, text)


def shown_field(field: Field, column: Any) -> Field:
    """Give the field as it has to be declared for these values: text beyond ASCII needs unicodeChar (VOT-09).

    astropy refuses a BINARY2 stream whose char values are UTF-8, and STILTS reads it as Latin 1. Values of unicodeChar
    always carry their length, since characters beyond the basic plane take two of its units.
    """
    if not cols.is_text(field) or (field.datatype == "char" and cols.is_ascii(column)):
        return field
    size = cols.fixed_length(field)
    return replace(field, datatype="unicodeChar", arraysize=field.arraysize if size is None else f"{size}*")


def _from_rows(fields: Sequence[Field], rows: Sequence[Sequence[object]]) -> list[Any]:
    columns = zip(*rows, strict=True) if rows else [()] * len(fields)
    return [pa.array(values, cols.arrow_type(field)) for field, values in zip(fields, columns, strict=True)]


def _begin(
    document: Document, status: str, text: str | None = None, *, version: Version = "1.4"
) -> tuple[etree._Element, etree._Element]:
    root = etree.Element("VOTABLE", version=version, xmlns=NAMESPACE)
    results = etree.SubElement(root, "RESOURCE", type="results")
    if document.description is not None:
        etree.SubElement(results, "DESCRIPTION").text = legal(document.description)
    state = etree.SubElement(results, "INFO", name="QUERY_STATUS", value=status)
    state.text = None if text is None else legal(text)
    results.append(etree.Comment(_ORIGIN))
    return root, results


def _add_systems_and_table(
    results: etree._Element,
    document: Document,
    serialisation: Serialisation | None,
    numbers: Sequence[int | None],
) -> dict[str, str]:
    """Append COOSYS, TIMESYS and the TABLE; give the XML ID of each column by its name in lower case."""
    ids = _field_ids(document)
    taken = {*ids, *(descriptor.id for descriptor in document.descriptors)}
    systems = [_system_of(field) for field in document.fields]
    system_ids = {name: _unique(name, taken) for name in _SYSTEMS if name in systems}
    for name, xml_id in system_ids.items():
        tag, attributes = _SYSTEMS[name]
        etree.SubElement(results, tag, {"ID": xml_id, **attributes})
    table = etree.SubElement(results, "TABLE")
    for field, xml_id, system, number in zip(document.fields, ids, systems, numbers, strict=True):
        element = _add_field(table, field, xml_id, None if system is None else system_ids[system])
        if number is not None:
            etree.SubElement(element, "VALUES", null=str(number))
    if serialisation is not None:
        data = etree.SubElement(etree.SubElement(table, "DATA"), serialisation)
        if serialisation != "TABLEDATA":
            data = etree.SubElement(data, "STREAM", encoding="base64")
        data.append(etree.Comment(_ROWS))
    return {field.name.lower(): xml_id for field, xml_id in zip(document.fields, ids, strict=True)}


# Positions are ICRS (docs/design.md). No epoch is given: plates were taken between 1885 and 1995.
# Times of observation were read off clocks at the telescope.
_SYSTEMS: dict[str, tuple[str, dict[str, str]]] = {
    "icrs": ("COOSYS", {"system": "ICRS"}),
    "utc_mjd": ("TIMESYS", {"timeorigin": "MJD-origin", "timescale": "UTC", "refposition": "TOPOCENTER"}),
    "utc_iso": ("TIMESYS", {"timescale": "UTC", "refposition": "TOPOCENTER"}),
}


def _system_of(field: Field) -> str | None:
    """The system of a column's values, by its key; None when it is neither position nor time of observation."""
    ucd = (field.ucd or "").lower()
    xtype = (field.xtype or "").lower()
    is_error = "stat.error" in ucd or "pos.pm" in ucd
    if ucd == "pos" or any(word in ucd for word in _OTHER_FRAMES):
        return None
    if (ucd.startswith("pos.eq") and field.unit == "deg" and not is_error) or xtype in _POSITION_XTYPES:
        return "icrs"
    if not ucd.startswith(_TIME_UCDS) or is_error:
        return None
    if xtype == "timestamp":
        return "utc_iso"
    return "utc_mjd" if field.unit == "d" else None


def _field_ids(document: Document) -> list[str]:
    """Give each field an XML ID: its name where possible, since pyVO takes a ref for a column's name (VOT-04)."""
    taken = {descriptor.id for descriptor in document.descriptors if descriptor.id is not None}
    return [_unique(field.name, taken) for field in document.fields]


def _unique(name: str, taken: set[Any]) -> str:
    wanted = _NOT_IN_ID.sub("_", name)
    if not re.match("[A-Za-z_]", wanted):
        wanted = f"_{wanted}"
    xml_id, number = wanted, 1
    while xml_id in taken:
        number += 1
        xml_id = f"{wanted}_{number}"
    taken.add(xml_id)
    return xml_id


def _add_field(table: etree._Element, field: Field, xml_id: str, ref: str | None) -> etree._Element:
    element = etree.SubElement(table, "FIELD", ID=xml_id, name=legal(field.name), datatype=field.datatype)
    optional = {
        "arraysize": field.arraysize,
        "xtype": field.xtype,
        "unit": field.unit,
        "ucd": field.ucd,
        "utype": field.utype,
        "ref": ref,
    }
    for name, value in optional.items():
        if value is not None:
            element.set(name, legal(value))
    if field.description is not None:
        etree.SubElement(element, "DESCRIPTION").text = legal(field.description)
    return element


def _serialise(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
