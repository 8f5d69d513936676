"""Archives elsewhere for global discovery: SIA2 services on this machine, with the records that a registry has of them.

``good`` answers with one image, ``slow`` with nothing until it is released, ``broken`` with an error, ``large`` with
more than anybody wants and ``vast`` with more than a memory holds, ``astray`` with a table whose rows stand in a file
of the machine that reads it, ``moved`` with another address.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import documents_by_hand as by_hand

from vo.db.connect import Database
from vo.registry.store import store

SOURCE = "http://registry.invalid/oai"
AUTHORITY = "ivo://elsewhere.example"

_TABLE = """<?xml version="1.0"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">
<INFO name="QUERY_STATUS" value="OK"/><TABLE>
<FIELD name="obs_id" datatype="char" arraysize="*"/><FIELD name="obs_publisher_did" datatype="char" arraysize="*"/>
<FIELD name="access_url" datatype="char" arraysize="*"/><FIELD name="access_format" datatype="char" arraysize="*"/>
<FIELD name="target_name" datatype="unicodeChar" arraysize="*"/><FIELD name="s_ra" datatype="double" unit="deg"/>
<FIELD name="s_dec" datatype="double" unit="deg"/><FIELD name="t_min" datatype="double" unit="d"/>
<FIELD name="t_max" datatype="double" unit="d"/><FIELD name="calib_level" datatype="int"><VALUES null="-1"/></FIELD>
<FIELD name="s_region" datatype="double" arraysize="*" xtype="polygon" unit="deg"/>
<FIELD name="t_exptime" datatype="float" unit="s"/>
{data}</TABLE></RESOURCE></VOTABLE>"""

_ROW = """<DATA><TABLEDATA><TR><TD>m1</TD><TD>ivo://elsewhere.example/good?m1</TD><TD>http://elsewhere.invalid/m1</TD>
<TD>image/fits</TD><TD>Com\N{LATIN SMALL LETTER E WITH GRAVE}te &amp; moon</TD>
<TD>214.6</TD><TD>28.4</TD><TD>30028.25</TD><TD>30028.26</TD>
<TD>-1</TD><TD>214 28 215 28 215 29</TD><TD>NaN</TD></TR></TABLEDATA></DATA>"""

_NOTHING = b"x" * 1_000_000

_ASTRAY = '<DATA><BINARY><STREAM href="file://{path}"/></BINARY></DATA>'


@dataclass
class Elsewhere:
    """The services: ``asked`` are the paths that came, ``release`` lets those who wait go."""

    url: str
    secret: Path
    asked: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def records(self, *names: str, url: str | None = None):
        """The records of these services, all of the sky and of all times."""
        return [
            by_hand.record(
                by_hand.resource(
                    "vs:CatalogService",
                    f"{AUTHORITY}/{name}",
                    f"Archive {name}",
                    by_hand.capability(
                        "ivo://ivoa.net/std/SIA#query-2.0", f"{url or self.url}/{name}/query", "sia:SimpleImageAccess"
                    )
                    + by_hand.coverage(spatial="0/0-11", temporal="10000 60000", spectral="1e-20 1e-10"),
                ),
                source=SOURCE,
            )
            for name in names
        ]


@contextmanager
def services(secret: Path) -> Iterator[Elsewhere]:
    """Let them answer until the end of the block."""

    nothing = _TABLE.format(data="<!--%s-->")
    answers = {
        "good": (_TABLE.format(data=_ROW), 0),
        "slow": (_TABLE.format(data=""), 0),
        "large": (nothing, 3),
        "vast": (nothing, 600),
        "astray": (_TABLE.format(data=_ASTRAY.format(path=secret)), 0),
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            elsewhere.asked.append(self.path)
            name = path.split("/")[1]
            if name == "slow":
                elsewhere.release.wait(120)
            if name == "moved":
                self.send_response(302)
                self.send_header("Location", "http://127.0.0.2:1/query")
                self.end_headers()
            elif name in answers:
                self._send(*answers[name])
            else:
                self.send_error(500)

        def _send(self, text: str, megabytes: int) -> None:
            """Send a document, with so many megabytes of nothing in place of ``%s``."""
            before, _, after = text.encode().partition(b"%s")
            size = len(before) + len(after) + megabytes * len(_NOTHING)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-votable+xml")
            self.send_header("Content-Length", str(size))
            self.end_headers()
            try:
                for block in (before, *[_NOTHING] * megabytes, after):
                    self.wfile.write(block)
            except (BrokenPipeError, ConnectionResetError):
                return

        def log_message(self, *_values: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    elsewhere = Elsewhere(f"http://127.0.0.1:{server.server_address[1]}", secret)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield elsewhere
    finally:
        elsewhere.release.set()
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def known(database: Database, records) -> Iterator[None]:
    """Have a registry know these records until the end of the block."""
    with database.owner() as connection:
        assert store(connection, records) == ()
    try:
        yield
    finally:
        names = [record.ivoid for record in records]
        with database.owner() as connection:
            store(connection, [by_hand.record(record.document, "deleted", SOURCE) for record in records])
            connection.execute("DELETE FROM registry.record WHERE ivoid = ANY(%s)", (names,))
