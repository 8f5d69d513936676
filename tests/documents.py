"""Reading the service's VOTables back, with astropy and lxml."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import httpx
from astropy.io.votable import parse
from lxml import etree

GOLDEN = Path(__file__).parent / "golden"
NAMESPACE = "{http://www.ivoa.net/xml/VOTable/v1.3}"


@dataclass(frozen=True)
class Read:
    """A document: ``rows`` as dicts with None for nulls, ``infos`` and ``status`` of the results RESOURCE."""

    rows: list[dict[str, object]]
    fields: list[str]
    infos: list[tuple[str, str]]
    root: etree._Element

    @property
    def statuses(self) -> list[str]:
        """The values of all QUERY_STATUS."""
        return [value for name, value in self.infos if name == "QUERY_STATUS"]

    def descriptors(self) -> list[etree._Element]:
        """The RESOURCEs of services, in order."""
        return [element for element in self.root.iter(f"{NAMESPACE}RESOURCE") if element.get("type") == "meta"]


def read(response: httpx.Response) -> Read:
    """Read an answer; its table may be absent (a fault document)."""
    root = etree.fromstring(response.content, etree.XMLParser(resolve_entities=False, no_network=True))
    infos = [(info.get("name", ""), info.get("value", "")) for info in root.iter(f"{NAMESPACE}INFO")]
    if root.find(f".//{NAMESPACE}TABLE") is None:
        return Read([], [], infos, root)
    table = parse(io.BytesIO(response.content), verify="exception").get_first_table()
    names = [field.name for field in table.fields]
    rows = [
        {name: None if masked else _plain(value) for name, value, masked in zip(names, row, mask, strict=True)}
        for row, mask in zip(table.array.data, table.array.mask, strict=True)
    ]
    return Read(rows, names, infos, root)


def _plain(value):
    if isinstance(value, bytes):
        value = value.decode()
    return None if isinstance(value, str) and value == "" else value


def params(resource: etree._Element) -> dict[str, etree._Element]:
    """The PARAMs of a service descriptor, input parameters included, by name."""
    return {param.get("name", ""): param for param in resource.iter(f"{NAMESPACE}PARAM")}


def compare(name: str, text: str, *, update: bool) -> None:
    """Compare a text with the golden file of this name; ``update`` writes the file instead."""
    path = GOLDEN / name
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"no golden file {path}; pytest --update-golden writes it"
    assert text == path.read_text(encoding="utf-8"), f"not as in {path}; pytest --update-golden writes it anew"
