"""A VOResource document as rows of the schema ``rr``: RegTAP 1.2's rules of ingestion, without any database.

Documents may be anybody's: VOResource 1.0 and 1.1, VODataService 1.0 to 1.2, types that nobody here knows. What cannot
be taken over is told and left out; the rest of the record is there all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lxml import etree

from vo.errors import OperatorFault
from vo.registry.regtap.capabilities import add_capabilities
from vo.registry.regtap.details import add_details
from vo.registry.regtap.node import Node
from vo.registry.regtap.resource import add_coverage, add_curation, add_relationships, add_resource
from vo.registry.regtap.sheet import Row, Sheet
from vo.registry.regtap.tables import add_tables


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one record by table, each with every column, and what could not be taken over, in words."""

    ivoid: str
    tables: Mapping[str, Sequence[Row]]
    troubles: tuple[str, ...]


def rows(resource: etree._Element) -> Rows:
    """The rows of an ri:Resource; :class:`OperatorFault` when it has no identifier."""
    root = Node(resource)
    identifier = root.text("identifier")
    if identifier is None:
        raise OperatorFault("the record has no identifier")
    sheet = Sheet(identifier.lower())
    add_resource(sheet, root)
    add_curation(sheet, root)
    add_capabilities(sheet, root)
    add_tables(sheet, root)
    add_relationships(sheet, root)
    add_details(sheet, root)
    add_coverage(sheet, root)
    return Rows(sheet.ivoid, sheet.tables, tuple(sheet.troubles))
