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
    "http://www.ivoa.net/xml/TAPRegExt/v1.0": "TAPRegExt-v1.0-with-erratum1.xsd",
    "http://www.ivoa.net/xml/VOSICapabilities/v1.0": "VOSICapabilities-v1.0.xsd",
    "http://www.ivoa.net/xml/VOSIAvailability/v1.0": "VOSIAvailability-v1.0.xsd",
    "http://www.ivoa.net/xml/VOSITables/v1.0": "VOSITables-v1.1.xsd",
}


def validate(document: bytes) -> etree._Element:
    """The root element of a valid document; AssertionError with the validator's lines when it is not valid.

    Skips loudly when the folder of the schemas is missing.
    """
    if not ROOT.is_dir():
        pytest.skip(f"XML schemas missing: {ROOT} (set VO_TEST_XSD to the folder that holds the IVOA's .xsd files)")
    root = etree.fromstring(document, etree.XMLParser(no_network=True, resolve_entities=False))
    schema = _schema()
    assert schema.validate(root), "\n".join(str(entry) for entry in schema.error_log)
    return root


@functools.cache
def _schema() -> etree.XMLSchema:
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{(ROOT / file).as_uri()}"/>'
        for namespace, file in CATALOGUE.items()
    )
    text = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    parser = etree.XMLParser(no_network=True)
    return etree.XMLSchema(etree.fromstring(text.encode(), parser))
