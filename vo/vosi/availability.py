"""The availability document (VOSI 1.1 section 2.2): whether questions can be answered right now."""

from __future__ import annotations

import datetime as dt

import psycopg
from vo_models.vosi.availability.models import Availability

from vo.db.connect import Database
from vo.errors import Fault


def document(database: Database, up_since: dt.datetime) -> bytes:
    """Ask the database, and say what it says; ``up_since`` is when this server started (UTC)."""
    try:
        with database.read() as connection:
            connection.execute("SELECT 1 FROM ivoa.obscore LIMIT 1")
    except (Fault, psycopg.Error):
        return _serialise(Availability(available=False, note=["The database does not answer; please try again later."]))
    return _serialise(Availability(available=True, up_since=up_since))


def _serialise(availability: Availability) -> bytes:
    text = availability.to_xml(skip_empty=True, encoding="UTF-8", xml_declaration=True)
    return text if isinstance(text, bytes) else text.encode()
