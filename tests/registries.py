"""A registry of tests: an OAI-PMH endpoint with records written by hand, over real HTTP on this machine.

It is as simple as OAI-PMH allows and shares no code with the one that `vo` serves. Tests break it where they want.
"""

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

OAI = "http://www.openarchives.org/OAI/2.0/"
RI = "http://www.ivoa.net/xml/RegistryInterface/v1.0"

#: Namespaces are declared at the page's beginning, as registries do: a record that is cut out lacks them.
ROOT = (
    f'<oai:OAI-PMH xmlns:oai="{OAI}" xmlns:ri="{RI}" xmlns:vr="http://www.ivoa.net/xml/VOResource/v1.0" '
    'xmlns:vg="http://www.ivoa.net/xml/VORegistry/v1.0" xmlns:data="http://www.ivoa.net/xml/VODataService/v1.1" '
    'xmlns:tr="http://www.ivoa.net/xml/TAPRegExt/v1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)


def resource(
    ivoid: str, title: str = "Plates of the observatory", *, kind: str = "data:CatalogResource", more: str = ""
):
    """An ri:Resource."""
    dates = 'created="2020-01-02T03:04:05" updated="2021-01-02T03:04:05"'
    return f"""<ri:Resource xsi:type="{kind}" {dates} status="active">
      <title>{title}</title>
      <identifier>{ivoid}</identifier>
      <curation><publisher>The Observatory</publisher><contact><name>The Keeper</name></contact></curation>
      <content><subject>sky-surveys</subject><description>Glass plates &amp; films.</description>
        <referenceURL>http://observatory.example/plates</referenceURL></content>{more}
    </ri:Resource>"""


def record(ivoid: str, stamp: str = "2021-01-02T03:04:05Z", *, content: str | None = None, **more: str) -> str:
    """A record of a list with its header; ``content`` in place of the resource that is made of the rest."""
    return (
        f"<oai:record><oai:header><oai:identifier>{ivoid}</oai:identifier><oai:datestamp>{stamp}</oai:datestamp>"
        f"<oai:setSpec>ivo_managed</oai:setSpec></oai:header><oai:metadata>"
        f"{resource(ivoid, **more) if content is None else content}</oai:metadata></oai:record>"
    )


def deleted(ivoid: str, stamp: str) -> str:
    """A record that is gone (OAI-08)."""
    return (
        f'<oai:record><oai:header status="deleted"><oai:identifier>{ivoid}</oai:identifier>'
        f"<oai:datestamp>{stamp}</oai:datestamp></oai:header></oai:record>"
    )


def stamp_of(told: str) -> str:
    return told.split("datestamp>", 2)[1].removesuffix("</oai:")


@dataclass
class Registry:
    """What the endpoint says; tests change it between harvests. ``asked`` are the questions so far."""

    records: list[str] = field(default_factory=list)
    authority: str = "observatory.example"
    sets: tuple[str, ...] = ("ivo_managed",)
    deletes: str = "persistent"
    granularity: str = "YYYY-MM-DDThh:mm:ssZ"
    answered: str = "2022-01-01T00:00:00Z"
    page_size: int = 100
    token_of: Callable[[int], str] = str
    mangle: Callable[[int, str], str | bytes] = lambda _number, page: page
    refuse: Callable[[dict[str, str]], tuple[int, dict[str, str]] | None] = lambda _asked: None
    asked: list[dict[str, str]] = field(default_factory=list)
    packed: bool = False
    url: str = ""

    def lists(self) -> list[dict[str, str]]:
        """The questions for records."""
        return [one for one in self.asked if one["verb"] == "ListRecords"]

    def answer(self, asked: dict[str, str]) -> str | bytes:
        match asked["verb"]:
            case "Identify":
                return self._page(self._identify())
            case "ListSets" if not self.sets:
                return self._page('<oai:error code="noSetHierarchy">no sets</oai:error>')
            case "ListSets":
                named = "".join(f"<oai:set><oai:setSpec>{name}</oai:setSpec></oai:set>" for name in self.sets)
                return self._page(f"<oai:ListSets>{named}</oai:ListSets>")
            case _:
                return self._list(asked)

    def _identify(self) -> str:
        registry = resource(
            f"ivo://{self.authority}/registry",
            "The registry",
            kind="vg:Registry",
            more=f"<full>false</full><managedAuthority>{self.authority}</managedAuthority>",
        )
        return f"""<oai:Identify><oai:repositoryName>The Observatory's</oai:repositoryName>
            <oai:baseURL>{self.url}</oai:baseURL><oai:protocolVersion>2.0</oai:protocolVersion>
            <oai:adminEmail>keeper@observatory.example</oai:adminEmail>
            <oai:earliestDatestamp>2000-01-01</oai:earliestDatestamp>
            <oai:deletedRecord>{self.deletes}</oai:deletedRecord><oai:granularity>{self.granularity}</oai:granularity>
            <oai:description>{registry}</oai:description></oai:Identify>"""

    def _list(self, asked: dict[str, str]) -> str | bytes:
        start = 0
        since = asked.get("from", "")
        if "resumptionToken" in asked:
            start, since = next(
                (n, since) for n in range(len(self.records) + 1) if self.token_of(n) == asked["resumptionToken"]
            )
        found = [one for one in self.records if stamp_of(one) >= since]
        if not found:
            return self._page('<oai:error code="noRecordsMatch">nothing</oai:error>')
        stop = start + self.page_size
        token = f'<oai:resumptionToken completeListSize="{len(found)}">{self.token_of(stop)}</oai:resumptionToken>'
        rest = token if stop < len(found) else "<oai:resumptionToken/>" if start else ""
        page = self._page(f"<oai:ListRecords>{''.join(found[start:stop])}{rest}</oai:ListRecords>")
        return self.mangle(start // self.page_size + 1, page)

    def _page(self, content: str) -> str:
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n{ROOT}<oai:responseDate>{self.answered}</oai:responseDate>'
            f"<oai:request>{self.url}</oai:request>{content}</oai:OAI-PMH>"
        )


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """Serve a registry until the end of the block; its ``url`` tells where."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
            registry.asked.append(asked)
            status, headers = registry.refuse(asked) or (200, {})
            body = registry.answer(asked) if status == 200 else b""
            body = body.encode() if isinstance(body, str) else body
            if registry.packed and "gzip" in self.headers.get("Accept-Encoding", ""):
                body, headers = gzip.compress(body), {**headers, "Content-Encoding": "gzip"}
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "text/xml", "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        registry.url = f"http://127.0.0.1:{server.server_address[1]}/oai"
        try:
            yield registry
        finally:
            server.shutdown()
            thread.join()
