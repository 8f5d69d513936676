"""The tests' server with registry records: they name its address, as those of a real server would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import Server

from vo.db.connect import Database
from vo.settings import Settings

if TYPE_CHECKING:
    from vo.registry.publish import Published


def publish(settings: Settings, database: Database, base_url: str, **options) -> Published:
    """Publish the records of all that a database holds, as `vo publish` does."""
    from vo.context import make_context  # late, for tests that need no registry start without it
    from vo.metadata.examples import read_examples
    from vo.registry.publish import publish_records
    from vo.services import make_services

    context = make_context(settings, database)
    services = make_services(settings, has_examples=bool(read_examples(settings, context.collections)))
    return publish_records(database, settings, context.collections, context.catalogue, services, base_url, **options)


@pytest.fixture(scope="session")
def registered(server: Server) -> Server:
    """The server of the session, whose records are published; nothing else of it changes."""
    publish(server.settings, server.database, server.url)
    return server
