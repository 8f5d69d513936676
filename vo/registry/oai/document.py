"""The XML of answers: the frame, headers, errors (OAI-PMH 2.0, section 3.2).

OAI's elements are in the default namespace: OAI's own validator looks for ``OAI-PMH`` without a prefix. What is set
into them brings its own prefixes.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from xml.sax.saxutils import escape, quoteattr

from vo.db.registry import Record
from vo.registry.oai.dates import written
from vo.registry.oai.problems import Problem
from vo.registry.oai.words import MANAGED

#: What HTTP says of every answer (OAI-PMH 2.0, section 3.1.2).
MEDIA_TYPE = "text/xml; charset=utf-8"

END = "</OAI-PMH>\n"

_OPEN = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/ http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd">\n'
)

_ROOT = re.compile(r"<[^\s/>]+")


def element(name: str, text: str, attributes: Iterable[tuple[str, str]] = ()) -> str:
    """An element that holds text alone."""
    told = "".join(f" {key}={quoteattr(value)}" for key, value in attributes)
    return f"<{name}{told}>{escape(text)}</{name}>"


def beginning(address: str, moment: dt.datetime, arguments: Iterable[tuple[str, str]]) -> str:
    """What every answer begins with: when it was made, and the request as it was understood (OAI-02)."""
    return f"{_OPEN}{element('responseDate', written(moment))}\n{element('request', address, arguments)}\n"


def errors(problems: Iterable[Problem]) -> str:
    """One element for each."""
    return "".join(element("error", problem.text, [("code", problem.code)]) + "\n" for problem in problems)


def header(record: Record) -> str:
    """What a record is called, when it changed last and which set it is in; deleted ones say so (OAI-07, OAI-08)."""
    status = ' status="deleted"' if record.status == "deleted" else ""
    identifier, datestamp = element("identifier", record.identifier), element("datestamp", written(record.datestamp))
    return f"<header{status}>{identifier}{datestamp}{element('setSpec', MANAGED)}</header>"


def spliced(document: str) -> str:
    """A record's document as it stands within an answer, whose default namespace its elements are not in.

    Documents are our own (:func:`vo.registry.store.store`) and begin with the tag of their root: nothing is parsed.
    """
    root = _ROOT.match(document)
    if root is None:
        raise ValueError(f"not a document: {document[:80]!r}")
    tag, rest = root.group(), document[root.end() :]
    has_own = ' xmlns="' in rest.partition(">")[0]
    return document if has_own else f'{tag} xmlns=""{rest}'
