"""Validates documents against the IVOA's XML schemas, from local files alone.

The schemas name each other by web addresses; here each namespace is mapped to a file, and the network is never asked.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest
from lxml import etree

ROOT = Path(os.environ.get("VO_TEST_XSD", Path(__file__).parent.parent.parent / "shared" / "xsd"))

# In the order of their dependence: libxml2 keeps the first file that it is given for a namespace.
CATALOGUE = {
    "http://www.w3.org/1999/xlink": "XLINK.xsd",
    "http://www.ivoa.net/xml/VOResource/v1.0": "VOResource-v1.1-with-erratum1.xsd",
    "http://www.ivoa.net/xml/STC/stc-v1.30.xsd": "STC-v1.3.xsd",
    "http://www.ivoa.net/xml/VODataService/v1.1": "VODataService-v1.2.xsd",
    "http://www.ivoa.net/xml/RegistryInterface/v1.0": "RegistryInterface-v1.0.xsd",
    "http://www.ivoa.net/xml/VORegistry/v1.0": "VORegistry-v1.0.xsd",
    "http://www.ivoa.net/xml/SIA/v1.1": "SIA-v1.1.xsd",
    "http://www.ivoa.net/xml/ConeSearch/v1.0": "SCS-v1.1.xsd",
    "http://www.ivoa.net/xml/TAPRegExt/v1.0": "TAPRegExt-v1.0-with-erratum1.xsd",
    "http://www.ivoa.net/xml/VOSICapabilities/v1.0": "VOSICapabilities-v1.0.xsd",
    "http://www.ivoa.net/xml/VOSIAvailability/v1.0": "VOSIAvailability-v1.0.xsd",
    "http://www.ivoa.net/xml/VOSITables/v1.0": "VOSITables-v1.1.xsd",
    "http://www.ivoa.net/xml/UWS/v1.0": "UWS-v1.1.xsd",
    "http://www.w3.org/XML/1998/namespace": "xml.xsd",
    "http://purl.org/dc/elements/1.1/": "simpledc20021212.xsd",
    "http://www.openarchives.org/OAI/2.0/oai_dc/": "oai_dc.xsd",
    "http://www.openarchives.org/OAI/2.0/": "OAI-PMH.xsd",
}


def parse(document: bytes) -> etree._Element:
    """The root element of a document; AssertionError with the validator's lines when it is not valid.

    Where the folder of the schemas is missing it is only read, for tests that are about something else.
    """
    root = etree.fromstring(document, etree.XMLParser(no_network=True, resolve_entities=False))
    if ROOT.is_dir():
        schema = _schema()
        assert schema.validate(root), "\n".join(str(entry) for entry in schema.error_log)
    return root


def validate(document: bytes) -> etree._Element:
    """The root element of a valid document, for tests that are about that: they are skipped without the schemas."""
    if not ROOT.is_dir():
        pytest.skip(f"XML schemas missing: {ROOT} (set VO_TEST_XSD to the folder that holds the IVOA's .xsd files)")
    return parse(document)


@functools.cache
def _schema() -> etree.XMLSchema:
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{(ROOT / file).as_uri()}"/>'
        for namespace, file in CATALOGUE.items()
    )
    text = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    parser = etree.XMLParser(no_network=True)
    return etree.XMLSchema(etree.fromstring(text.encode(), parser))
