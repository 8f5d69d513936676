"""VOResource documents written by hand: a service, its collections and others, as different registries write them."""

from __future__ import annotations

import datetime as dt
import hashlib

from lxml import etree

from vo.db.registry import OWN, Record

NAMESPACES = (
    'xmlns:ri="http://www.ivoa.net/xml/RegistryInterface/v1.0" xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0" '
    'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0" '
    'xmlns:sia="http://www.ivoa.net/xml/SIA/v1.1" xmlns:vg="http://www.ivoa.net/xml/VORegistry/v1.0" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)

#: About 300 to 500 nm, in joule.
BLUE = "3.973e-19 6.622e-19"


def resource(kind: str, identifier: str, title: str, inner: str = "", **texts: str) -> str:
    """One ri:Resource. ``texts``: description, subject, creator, relation (XML), validation (XML), content (XML)."""
    said = {"description": f"About {title}.", "subject": "sky-surveys", "creator": "Nobody, N.", **texts}
    return f"""<ri:Resource {NAMESPACES} xsi:type="{kind}" created="2024-01-02T03:04:05Z" updated="2025-06-07T08:09:10Z"
 status="active">{said.get("validation", "")}<title>{title}</title><identifier>{identifier}</identifier>{
        said.get("alternate", "")
    }
<curation><publisher ivo-id="ivo://Test.Example/Organisation">The Observatory</publisher>
<creator><name>{said["creator"]}</name>{said.get("orcid", "")}</creator>{said.get("curation", "")}
<contact><name>Help Desk</name><address>1 Dome Road</address><email>help@test.example</email></contact></curation>
<content><subject>{said["subject"]}</subject><description>{said["description"]}</description>
<referenceURL>http://127.0.0.1/about</referenceURL><type>Catalog</type><type>Archive</type>
<contentLevel>Research</contentLevel>{said.get("content", "")}{said.get("relation", "")}</content>{
        inner
    }</ri:Resource>"""


def relation(kind: str, *others: str) -> str:
    related = "".join(f'<relatedResource ivo-id="{other}">{other}</relatedResource>' for other in others)
    return f"<relationship><relationshipType>{kind}</relationshipType>{related}</relationship>"


def capability(standard: str, url: str, kind: str = "", inner: str = "", version: str = "1.1", method: str = "") -> str:
    typed = f'xsi:type="{kind}" ' if kind else ""
    return f"""<capability {typed}standardID="{standard}"><interface xsi:type="vs:ParamHTTP" role="std"
 version="{version}"><accessURL use="base">{url}</accessURL>{method}</interface>{inner}</capability>"""


def tables(schema: str, *names: str, utype: str = "", columns: str = "") -> str:
    made = "".join(
        f"<table><name>{schema}.{name}</name><title>Title of {name}</title><description>The table {name}.</description>"
        f"{f'<utype>{utype}</utype>' if utype else ''}{columns}</table>"
        for name in names
    )
    return f"<tableset><schema><name>{schema}</name>{made}</schema></tableset>"


def column(name: str, ucd: str = "", unit: str = "") -> str:
    return f"""<column std="true"><name>{name}</name><description>The column {name}.</description>{
        f"<unit>{unit}</unit>" if unit else ""
    }{f"<ucd>{ucd}</ucd>" if ucd else ""}<dataType xsi:type="vs:VOTableType" arraysize="*">char</dataType>
<flag>indexed</flag><flag>nullable</flag></column>"""


def coverage(spatial: str = "", temporal: str = "", spectral: str = "", waveband: str = "") -> str:
    parts = {"spatial": spatial, "temporal": temporal, "spectral": spectral, "waveband": waveband}
    return "<coverage>" + "".join(f"<{name}>{text}</{name}>" for name, text in parts.items() if text) + "</coverage>"


def record(document: str, status: str = "active", source: str = OWN) -> Record:
    """The document as the database takes it; without one when it is deleted."""
    root = etree.fromstring(document)
    return Record(
        identifier=root.findtext("identifier") or "",
        source=source,
        status=status,
        created=dt.datetime.fromisoformat("2024-01-02T03:04:05"),
        datestamp=dt.datetime.fromisoformat("2025-06-07T08:09:10"),
        digest=hashlib.sha256(document.encode()).hexdigest(),
        document=None if status == "deleted" else document,
    )
