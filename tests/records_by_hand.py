"""Records of a registry written by hand, for tests of what is made from records: small, valid, of every kind."""

from __future__ import annotations

import datetime as dt
from xml.sax.saxutils import escape

from vo.db.registry import OWN, Record

AUTHORITY = "vo-plates.example"
ELSEWHERE = "http://registry.invalid/oai"

_FRAME = """\
<ri:Resource xmlns:ri="http://www.ivoa.net/xml/RegistryInterface/v1.0" \
xmlns:vg="http://www.ivoa.net/xml/VORegistry/v1.0" xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0" \
xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
created="{created}" updated="{updated}" status="active" xsi:type="{type}"><title>{title}</title>\
<identifier>{identifier}</identifier>{more}<curation><publisher>An observatory</publisher>\
<creator><name>Fleming, W.</name></creator><creator><name>Müller, G.</name></creator>\
<contributor>Draper, M. A.</contributor><date role="Created">1890-03-01</date>\
<contact><name>Plate vault</name><email>plates@observatory.example</email></contact></curation>\
<content><subject>photographic-astrometry</subject><subject>sky-surveys</subject>\
<description>Plates &amp; their jackets.\n   Two lines.</description>\
<source format="bibcode">1890AnHar..27....1P</source><referenceURL>http://127.0.0.1/{path}</referenceURL>\
<type>Catalog</type><relationship><relationshipType>IsServedBy</relationshipType>\
<relatedResource ivo-id="ivo://{authority}/tap">TAP</relatedResource></relationship></content>{end}</ri:Resource>"""

_RIGHTS = '<rights rightsURI="https://spdx.org/licenses/CC0-1.0.html">Public domain</rights>'
_HARVEST = (
    '<capability xsi:type="vg:Harvest" standardID="ivo://ivoa.net/std/Registry">'
    '<interface xsi:type="vg:OAIHTTP" role="std" version="1.0"><accessURL use="base">http://127.0.0.1/oai</accessURL>'
    "</interface><maxRecords>100</maxRecords></capability>"
    f"<full>false</full><managedAuthority>{AUTHORITY}</managedAuthority>"
)
#: What stands at the end of a record of each type.
_ENDS = {
    "vg:Registry": _HARVEST,
    "vg:Authority": f'<managingOrg ivo-id="ivo://{AUTHORITY}/organisation">An observatory</managingOrg>',
    "vr:Organisation": "",
    "vs:CatalogResource": _RIGHTS,
}


def moment(text: str) -> dt.datetime:
    """UTC without a zone, as records have it: ``2001-02-28 12:00:00``."""
    return dt.datetime.fromisoformat(text)


def record(
    name: str,
    datestamp: str,
    type: str = "vs:CatalogResource",  # noqa: A002 - VOResource's word
    *,
    source: str = OWN,
    deleted: bool = False,
    doi: str = "",
    title: str = "",
) -> Record:
    """A record of the authority; the name is the path of its identifier, ``""`` for the authority's own."""
    identifier = f"ivo://{AUTHORITY}/{name}" if name else f"ivo://{AUTHORITY}"
    changed = moment(datestamp)
    document = _FRAME.format(
        created="1999-12-31T00:00:00Z",
        updated=changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        type=type,
        title=escape(title or f"Plates of {name}"),
        identifier=identifier,
        more=f"<altIdentifier>doi:{doi}</altIdentifier>" if doi else "",
        path=name,
        authority=AUTHORITY,
        end=_ENDS[type],
    )
    return Record(
        identifier=identifier,
        source=source,
        status="deleted" if deleted else "active",
        created=moment("1999-12-31 00:00:00"),
        datestamp=changed,
        digest="by hand",
        document=None if deleted else document,
    )


def registry_records() -> list[Record]:
    """What a small registry has: itself, its authority, organisation, four collections, one of which is gone.

    Another comes from elsewhere. In the order of their datestamps, which two share.
    """
    return [
        record("", "2001-01-01 00:00:00", "vg:Authority"),
        record("organisation", "2001-01-01 00:00:01", "vr:Organisation"),
        record("registry", "2001-06-01 12:00:00", "vg:Registry"),
        record("alpha", "2010-05-05 23:59:59", doi="10.5555/alpha"),
        record("beta", "2010-05-06 00:00:00", title='Plates <with> "signs" & ümlauts 星'),
        record("gone", "2010-05-06 00:00:00", deleted=True),
        record("omega", "2020-02-29 06:07:08"),
        record("foreign", "2010-05-06 00:00:00", source=ELSEWHERE),
    ]
