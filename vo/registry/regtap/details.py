"""What records say beyond the tables: pairs of a place and a value (RegTAP 1.2, section 8.14 and appendix A)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vo.registry.regtap.node import Node
from vo.registry.regtap.sheet import Sheet

#: Of the resource. Addresses of interfaces are no details: /accessURL is that of a collection in VODataService 1.1.
_RESOURCE = (
    "/accessURL", "/coverage/footprint", "/coverage/footprint/@ivo-id", "/deprecated", "/endorsedVersion", "/facility",
    "/facility/@ivo-id", "/format", "/format/@isMIMEType", "/full", "/instrument", "/instrument/@ivo-id",
    "/managedAuthority", "/managingOrg", "/rights", "/rights/@rightsURI", "/schema/@namespace",
)  # fmt: skip
#: Of a capability; what is not alone in its element, such as a function of ADQL, has no place here.
_CAPABILITY = (
    "complianceLevel", "creationType", "dataModel", "dataModel/@ivo-id", "dataSource", "defaultMaxRecords",
    "executionDuration/default", "executionDuration/hard", "imageServiceType", "interface/securityMethod/@standardID",
    "interface/testQueryString", "language/name", "language/version/@ivo-id", "maxAperture", "maxFileSize",
    "maxImageExtent/lat", "maxImageExtent/long", "maxImageSize", "maxImageSize/lat", "maxImageSize/long",
    "maxQueryRegionSize/lat", "maxQueryRegionSize/long", "maxRecords", "maxSearchRadius", "maxSR",
    "outputFormat/@ivo-id", "outputFormat/alias", "outputFormat/mime", "outputLimit/default",
    "outputLimit/default/@unit", "outputLimit/hard", "outputLimit/hard/@unit", "retentionPeriod/default",
    "retentionPeriod/hard", "supportedFrame", "testQuery/catalog", "testQuery/dec", "testQuery/extras",
    "testQuery/pos/lat", "testQuery/pos/long", "testQuery/pos/refframe", "testQuery/queryDataCmd", "testQuery/ra",
    "testQuery/size", "testQuery/size/lat", "testQuery/size/long", "testQuery/sr", "testQuery/verb",
    "uploadLimit/default", "uploadLimit/default/@unit", "uploadLimit/hard", "uploadLimit/hard/@unit",
    "uploadMethod/@ivo-id", "verbosity",
)  # fmt: skip


def _split(paths: Sequence[str], prefix: str = "") -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((prefix + path, tuple(path.strip("/").split("/"))) for path in paths)


_OF_RESOURCE = _split(_RESOURCE)
_OF_CAPABILITY = _split(_CAPABILITY, "/capability/")


def add_details(sheet: Sheet, root: Node) -> None:
    """A row for each value; letter case stays, as it matters for some of them."""
    for path, steps in _OF_RESOURCE:
        for value in _values(root, steps):
            sheet.add("res_detail", cap_index=None, detail_xpath=path, detail_value=value)
    for cap_index, capability in enumerate(root.all("capability"), 1):
        for path, steps in _OF_CAPABILITY:
            for value in _values(capability, steps):
                sheet.add("res_detail", cap_index=cap_index, detail_xpath=path, detail_value=value)


def _values(node: Node, steps: Sequence[str]) -> Iterator[str]:
    step, rest = steps[0], steps[1:]
    if step.startswith("@"):
        value = node.attribute(step[1:])
        if value is not None:
            yield value
    elif rest:
        for child in node.all(step):
            yield from _values(child, rest)
    else:
        yield from node.texts(step)
