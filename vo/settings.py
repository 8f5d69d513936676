"""Every setting and every limit, typed; the same numbers feed behaviour, capabilities and docs.

Each is read from an environment variable of its name with ``VO_`` in front (``VO_PORT=8081``) or from the file
``vo.env`` in the working directory. docs/settings.md describes them; a test compares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _shipped(folder: str) -> Path:
    """The folder ``schema`` or ``resources``: in an installed package, or beside it in a checkout."""
    installed = Path(__file__).parent / "_shipped" / folder
    return installed if installed.is_dir() else Path(__file__).parent.parent / folder


class Settings(BaseSettings):
    """What an operator can decide; see docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix="VO_", env_file="vo.env", extra="ignore", frozen=True)

    # Where things are
    data_dir: Path = Field(Path("vo-data"), description="folder of the private database cluster, made files and logs")
    schema_dir: Path = Field(_shipped("schema"), description="folder of the table descriptions (Felis YAML, SQL)")
    resources_dir: Path = Field(_shipped("resources"), description="folder that holds one folder per collection")
    collections: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="collections to publish, separated by commas; empty: all that the database was initialised with",
    )
    dsn: str | None = Field(None, description="the owner's PostgreSQL connection; unset: a private cluster in data_dir")
    query_dsn: str | None = Field(None, description="the read-only query role's connection; required with dsn")

    # The server
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65535, description="port to listen on; 0: any free one")
    base_url: str | None = Field(
        None, description="address under which clients reach this server; unset: taken from each request"
    )
    trust_forwarded: bool = Field(
        False, description="believe X-Forwarded-Proto, -Host and -Prefix (set it only behind a proxy that writes them)"
    )
    authority: str = Field("vo-plates.example", description="IVOA naming authority of identifiers made here")
    publisher: str = Field("A vo-plates server", description="name of the publisher, shown in every answer")
    contact: str = Field("", description="e-mail address for questions, shown in every answer when set")

    # Limits of queries
    maxrec_default: int = Field(20_000, ge=1, description="rows sent when a client sets no MAXREC")
    maxrec_hard: int = Field(10_000_000, ge=1, description="most rows sent whatever MAXREC says")
    sync_seconds: float = Field(60.0, gt=0, description="longest a synchronous query may run, in seconds")
    query_connections: int = Field(8, ge=1, description="queries that run at the same time")
    query_wait_seconds: float = Field(
        5.0, ge=0, description="longest a query waits for one of these to end, in seconds; then the answer is 503"
    )
    stall_seconds: float = Field(
        60.0,
        gt=0,
        description="longest a client may need to take one block (about 1 MB) of an answer, in seconds; "
        "then the answer is broken off",
    )
    query_length: int = Field(200_000, ge=100, description="longest ADQL text, in characters")
    query_terms: int = Field(50_000, ge=100, description="most terms in one ADQL query")
    query_depth: int = Field(100, ge=10, description="deepest nesting in one ADQL query")
    hint_rows: int = Field(
        100_000, ge=1, description="a query that would read more rows than this without an index gets a hint"
    )
    request_bytes: int = Field(20_000_000, ge=1000, description="largest request body, in bytes")
    ids_per_call: int = Field(1000, ge=1, description="most IDs in one Datalink request")

    # Limits of cutouts
    cutout_pixels: int = Field(100_000_000, ge=1, description="largest cutout, in pixels")

    # Ingest
    footprint_tolerance: float = Field(
        2.0, gt=0, description="farthest a footprint's edge may run from the true edge, in arcsec"
    )

    @field_validator("collections", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        """Split ``demo,dasch``, as an environment variable has it."""
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value
