"""Validation against the IVOA's XML schemas, from files of a folder alone: the network is never asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lxml import etree

from vo.errors import OperatorFault

_XSD = "http://www.w3.org/2001/XMLSchema"


def load_schemas(folder: Path) -> etree.XMLSchema:
    """One schema of all .xsd files of a folder; of several with the same namespace the last by its name counts.

    The files name each other by web addresses, so they are put together by their namespaces. OperatorFault when the
    folder has none, or they do not fit together.
    """
    files = {namespace: path for path in sorted(folder.glob("*.xsd")) if (namespace := _namespace(path))}
    if not files:
        raise OperatorFault(f"{folder} holds no XML schemas (.xsd): set VO_XSD_DIR to a folder that does, or unset it")
    # libxml2 keeps the first file that it is given for a namespace, so what others need goes first.
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{files[namespace].absolute().as_uri()}"/>'
        for namespace in _in_order(files)
    )
    text = f'<xs:schema xmlns:xs="{_XSD}">{imports}</xs:schema>'
    try:
        return etree.XMLSchema(etree.fromstring(text, _parser()))
    except etree.XMLSchemaParseError as error:
        raise OperatorFault(f"the XML schemas of {folder} (VO_XSD_DIR) do not fit together: {error}") from error


def find_errors(schema: etree.XMLSchema, document: bytes) -> Sequence[str]:
    """What is wrong with a document, each with its line; nothing when it is valid."""
    root = etree.fromstring(document, _parser())
    if schema.validate(root):
        return ()
    # lxml-stubs does not know that a log is a list of entries
    return [f"line {entry.line}: {entry.message}" for entry in schema.error_log]  # type: ignore[attr-defined]


def _parser() -> etree.XMLParser:
    return etree.XMLParser(no_network=True, resolve_entities=False)


def _namespace(path: Path) -> str | None:
    return _read(path).get("targetNamespace")


def _read(path: Path) -> etree._Element:
    try:
        return etree.parse(path, _parser()).getroot()
    except (etree.XMLSyntaxError, OSError) as error:
        raise OperatorFault(f"{path} (VO_XSD_DIR) is not an XML schema: {error}") from error


def _in_order(files: dict[str, Path]) -> list[str]:
    """The namespaces, each after those that its file imports."""
    order: list[str] = []
    visited: set[str] = set()

    def visit(namespace: str) -> None:
        if namespace in visited or namespace not in files:
            return
        visited.add(namespace)
        for element in _read(files[namespace]).iterchildren(f"{{{_XSD}}}import"):
            visit(element.get("namespace", ""))
        order.append(namespace)

    for namespace in files:
        visit(namespace)
    return order
