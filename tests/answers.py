"""What readers that are not ours find in an answer, whatever its form: the first column, and how the table ended."""

from __future__ import annotations

import csv
import io
import itertools
import json

import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.io.votable import parse
from lxml import etree


def numbers(name, document):
    """The first column, called ``n``."""
    if name.startswith("votable"):
        return list(parse(io.BytesIO(document)).get_first_table().array["n"])
    return _NUMBERS[name](document)


def end(name, document):
    """What is said of the rows: OK, OVERFLOW or ERROR, and in which words."""
    return statuses(document)[-1] if name.startswith("votable") else _END[name](document)


def statuses(document):
    """All QUERY_STATUS of a VOTable, as (value, text)."""
    infos = etree.fromstring(document, etree.XMLParser(huge_tree=True)).iterfind(".//{*}INFO[@name='QUERY_STATUS']")
    return [(info.get("value"), info.text) for info in infos]


def _from_lines(document, delimiter):
    lines = csv.reader(io.StringIO(document.decode()), delimiter=delimiter)
    return [int(row[0]) for row in itertools.islice(lines, 1, None)]


def _from_fits(document):
    with fits.open(io.BytesIO(document)) as file:
        return file[1].data["n"].tolist()


def _page(document):
    return etree.fromstring(document, etree.HTMLParser())


def _from_text(document):
    lines = [line for line in document.decode().split("\n") if " | " in line]
    return [int(line.split("|")[0]) for line in lines[1:]]


_NUMBERS = {
    "csv": lambda document: _from_lines(document, ","),
    "tsv": lambda document: _from_lines(document, "\t"),
    "fits": _from_fits,
    "parquet": lambda document: pq.read_table(io.BytesIO(document))["n"].to_pylist(),
    "arrow": lambda document: pa.ipc.open_stream(document).read_all()["n"].to_pylist(),
    "json": lambda document: [row[0] for row in json.loads(document)["data"]],
    "html": lambda document: [int(row[0].text) for row in _page(document).iterfind(".//tbody/tr")],
    "text": _from_text,
}


def _fits_end(document):
    header = fits.getheader(io.BytesIO(document), 1)
    return header["QUERY_ST"], "".join(header.get("COMMENT", []))


def _parquet_end(document):
    metadata = pq.read_metadata(io.BytesIO(document)).metadata
    return statuses(metadata[b"IVOA.VOTable-Parquet.content"])[-1]


def _arrow_end(document):
    for _, told in pa.ipc.open_stream(document).iter_batches_with_custom_metadata():
        if told:
            return told[b"QUERY_STATUS"].decode(), told[b"QUERY_STATUS.text"].decode()
    return "OK", None


def _json_end(document):
    read = json.loads(document)
    return read["status"], read.get("message")


def _html_end(document):
    text = _page(document).find(".//p[@id='end']").text
    return {"All": "OK", "Only": "OVERFLOW", "The": "ERROR"}[text.split()[0]], text


def _text_end(document):
    text = document.decode().split("\n")[-2]
    return text.split()[0] if text[0].isalpha() else "OK", text


_END = {
    "fits": _fits_end,
    "parquet": _parquet_end,
    "arrow": _arrow_end,
    "json": _json_end,
    "html": _html_end,
    "text": _text_end,
}
