"""Global discovery by pyVO with one of the tests' servers as its registry, and what was asked of whom."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import pyvo
import requests
from pyvo.registry import regtap
from pyvo.utils.prototype import PrototypeWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", PrototypeWarning)  # it says so when it is imported
    import pyvo.discover


@dataclass(frozen=True)
class Discovery:
    """What came of one: the images' access URLs by the IVOID of who had them, the log, the servers asked for images.

    ``asked`` has the server's address, its endpoint and, of TAP, the query. What is asked of the registry itself is not
    in it.
    """

    found: dict[str, set[str]]
    log: list[str]
    asked: list[tuple[str, str, str]]

    @property
    def servers(self) -> list[str]:
        """The servers that images were asked of, one entry for each question."""
        return [server for server, *_ in self.asked]

    def urls(self) -> set[str]:
        """All access URLs."""
        return set().union(*self.found.values())


@contextmanager
def registry(url: str) -> Iterator[None]:
    """Let pyVO search the registry of the server at this address until the end of the block."""
    before = regtap.get_RegTAP_service_url()
    pyvo.registry.choose_RegTAP_service(f"{url}/tap")
    try:
        yield
    finally:
        pyvo.registry.choose_RegTAP_service(before)


def discover(**wanted: object) -> Discovery:
    """`images_globally`; nothing to ask counts as nothing found."""
    asked: list[tuple[str, str, str]] = []
    send = requests.Session.send

    def watched(session, request, **options):
        asked.extend(_image_questions(request))
        return send(session, request, **options)

    log: list[str] = []
    found: dict[str, set[str]] = {}
    with mock.patch.object(requests.Session, "send", watched):
        try:
            images, log = pyvo.discover.images_globally(**wanted)
        except pyvo.DALQueryError as error:
            assert "No services to query" in str(error)  # noqa: PT017 - that one alone is nothing found
            images = []
    for image in images:
        found.setdefault(image.origin_service, set()).add(image.access_url)
    skipped = [line for line in log if "skipped" in line]  # which is how pyVO tells errors
    assert not skipped, skipped
    return Discovery(found, log, asked)


def _image_questions(request: requests.PreparedRequest) -> Iterator[tuple[str, str, str]]:
    parts = urlsplit(request.url or "")
    body = request.body.decode("latin-1") if isinstance(request.body, bytes) else request.body or ""
    query = parse_qs(body).get("QUERY", parse_qs(parts.query).get("QUERY", [body]))[0]
    is_image = "ivoa.obscore" in query.lower() or (parts.path.endswith("/query") and "tap" not in parts.path)
    if is_image:
        yield f"{parts.scheme}://{parts.netloc}", parts.path, query
