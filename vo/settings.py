"""Every setting and every limit, typed; the same numbers feed behaviour, capabilities and docs.

Each is read from an environment variable of its name with ``VO_`` in front (``VO_PORT=8081``) or from the file
``vo.env`` in the working directory. docs/settings.md describes them; a test compares.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _shipped(folder: str) -> Path:
    """The folder ``schema`` or ``resources``: in an installed package, or beside it in a checkout."""
    installed = Path(__file__).parent / "_shipped" / folder
    return installed if installed.is_dir() else Path(__file__).parent.parent / folder


#: Everybody's until an operator has one: identifiers below it are of no use elsewhere.
EXAMPLE_AUTHORITY = "vo-plates.example"

#: IVOA Identifiers 2.0, section 2.3.1 (VOR-03); in lower case, since identifiers are compared so.
_AUTHORITY = re.compile(r"[a-z0-9][a-z0-9._!~*'()+=-]{2,}")
_IVOID = re.compile(r"ivo://[A-Za-z0-9][A-Za-z0-9._!~*'()+=-]{2,}(/[A-Za-z0-9._!~*'()+=-]+)+")


class Settings(BaseSettings):
    """What an operator can decide; see docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix="VO_", env_file="vo.env", extra="ignore", frozen=True)

    # Where things are
    data_dir: Path = Field(
        Path("vo-data"), description="folder of the private database cluster, results of jobs, made files and logs"
    )
    products_dir: Path | None = Field(
        None,
        description="folder of the binned files, previews and thumbnails that `vo products make` makes; unset: the "
        "folder products in data_dir",
    )
    schema_dir: Path = Field(_shipped("schema"), description="folder of the table descriptions (Felis YAML, SQL)")
    resources_dir: Path = Field(_shipped("resources"), description="folder that holds one folder per collection")
    collections: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="collections to publish, separated by commas; empty: all that the database was initialised with",
    )
    xsd_dir: Path | None = Field(
        None,
        description="folder of the IVOA's XML schemas (.xsd files, from http://www.ivoa.net/xml/), against which `vo "
        "publish` and `vo check` hold registry records; unset: records are held against our own rules alone",
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
        False,
        description="believe X-Forwarded-Proto, -Host, -Prefix and -For (set it only behind a proxy that writes them)",
    )
    authority: str = Field(EXAMPLE_AUTHORITY, description="IVOA naming authority of identifiers made here")
    publisher: str = Field(
        "A vo-plates server", pattern=r"\S", description="name of the publisher, shown in every answer"
    )
    publisher_url: str | None = Field(
        None, description="web page of the publisher, for its registry record; unset: the record's own page here"
    )
    publisher_ivoid: str | None = Field(
        None,
        description="identifier of the publisher's registry record where another registry has one; unset: one is made "
        "here, `ivo://<VO_AUTHORITY>/organisation`",
    )
    full_registry: bool = Field(
        False,
        description="the registry here has, or is to have, all resources of the Virtual Observatory (`vo harvest`): "
        "its TAP service declares the data model RegTAP, so that clients anywhere may take it for a registry",
    )
    contact: str = Field("", description="e-mail address for questions, shown in every answer when set")
    contact_name: str | None = Field(
        None, description="who answers questions, for registry records; unset: the publisher"
    )

    # Limits of queries
    maxrec_default: int = Field(20_000, ge=1, description="rows sent when a client sets no MAXREC")
    maxrec_hard: int = Field(10_000_000, ge=1, description="most rows sent whatever MAXREC says")
    result_bytes: int = Field(
        10_000_000_000, ge=100_000, description="largest answer to a query, in bytes before compression"
    )
    sync_seconds: float = Field(60.0, gt=0, description="longest a synchronous query may run, in seconds")
    query_connections: int = Field(8, ge=1, description="queries that run at the same time")
    query_wait_seconds: float = Field(
        5.0, ge=0, description="longest a query waits for one of these to end, in seconds; then the answer is 503"
    )
    client_queries: int = Field(
        6, ge=1, description="queries of one client that run at the same time; more wait, then the answer is 429"
    )
    stall_seconds: float = Field(
        60.0,
        gt=0,
        description="longest a client may need to take one block (about 1 MB) of an answer, or to send some of its "
        "request, in seconds; then it is given up",
    )
    query_length: int = Field(200_000, ge=100, description="longest ADQL text, in characters")
    query_terms: int = Field(50_000, ge=100, description="most terms in one ADQL query")
    query_depth: int = Field(100, ge=10, description="deepest nesting in one ADQL query")
    hint_rows: int = Field(
        100_000, ge=1, description="a query that would read more rows than this without an index gets a hint"
    )
    request_bytes: int = Field(20_000_000, ge=1000, description="largest request body, in bytes")
    upload_rows: int = Field(2_000_000, ge=1, description="most rows of an uploaded table")
    upload_bytes: int = Field(
        200_000_000, ge=1000, description="largest request with uploaded tables, and largest table fetched, in bytes"
    )
    upload_seconds: float = Field(
        60.0, gt=0, description="longest that fetching an uploaded table from another server may take, in seconds"
    )
    upload_private: bool = Field(
        False, description="fetch uploaded tables from private addresses, too (for tests; never on a public server)"
    )
    ids_per_call: int = Field(1000, ge=1, description="most IDs in one Datalink request")
    oai_records: int = Field(
        100, ge=1, description="records of the registry in one answer of /oai; the rest comes with a resumption token"
    )

    # Jobs
    workers: int = Field(1, ge=0, description="worker processes that `vo serve` and `vo demo` start to run jobs")
    worker_jobs: int = Field(4, ge=1, description="jobs that one worker process runs at the same time")
    jobs_store: str | None = Field(
        None,
        description="where results and uploads of jobs are kept: a folder, or a bucket such as s3://bucket/prefix; "
        "unset: the folder jobs in data_dir",
    )
    async_seconds_default: int = Field(
        600, ge=1, description="longest a job may run when its client sets no EXECUTIONDURATION, in seconds"
    )
    async_seconds_hard: int = Field(
        7200, ge=1, description="longest a job may run whatever its client sets, in seconds"
    )
    retention_days_default: float = Field(
        7.0, gt=0, description="days after which a job is removed with its results when its client sets no DESTRUCTION"
    )
    retention_days_hard: float = Field(
        30.0, gt=0, description="days after which a job is removed whatever its client sets"
    )
    client_jobs: int = Field(20, ge=1, description="jobs of one client that may be queued or running; then 429")
    client_pending: int = Field(50, ge=1, description="jobs of one client that may be pending; then 429")
    wait_seconds: float = Field(8.0, ge=0, description="longest an answer waits for a job's phase to change (WAIT)")

    # Files
    stores: Path | None = Field(
        None,
        description="file (TOML) that tells endpoint, region and keys of buckets; unset: what the environment says "
        "(`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID` ...)",
    )
    store_seconds: float = Field(
        20.0, gt=0, description="longest that a store of files may take to answer, in seconds; then the answer is 503"
    )
    store_remember_seconds: float = Field(
        300.0, ge=0, description="how long length and version of a file in a store are believed, in seconds"
    )
    store_private: bool = Field(
        False, description="read files at https: locations in private networks, too; buckets may be anywhere"
    )

    link_seconds: int = Field(
        600, ge=2, description="how long the address that a file's permanent address leads to is good, in seconds"
    )
    signing_key: str | None = Field(
        None,
        min_length=32,
        repr=False,
        description="key that signs those addresses, 32 characters or more, the same for all servers behind one "
        "address; unset: one is made in data_dir",
    )
    full_plate_bytes: int = Field(
        50_000_000, ge=0, description="files above this many bytes are limited by the two below; others never"
    )
    client_full_bytes: int = Field(
        50_000_000_000, ge=1, description="bytes of such files that one client may take within an hour; then 429"
    )
    client_full_plates: int = Field(
        4, ge=1, description="such files of this machine that may be on their way to one client; then 429"
    )

    # Limits of cutouts
    cutout_pixels: int = Field(
        100_000_000, ge=1, description="largest cutout, in pixels; all images of one answer count together"
    )
    cutout_bytes: int = Field(1_000_000_000, ge=10_000, description="largest cutout, in bytes")
    cutout_ids: int = Field(20, ge=1, description="most IDs in one synchronous request for cutouts")
    cutouts_at_once: int = Field(
        8, ge=1, description="synchronous cutouts that are made at the same time; more wait, for query_wait_seconds"
    )
    client_cutouts: int = Field(
        6, ge=1, description="synchronous cutouts of one client that are made at the same time; more wait, then 429"
    )
    cutout_vertices: int = Field(500, ge=3, description="most vertices of a POLYGON in a request for cutouts")
    picture_pixels: int = Field(25_000_000, ge=1, description="largest cutout as a picture (JPEG, PNG), in pixels")
    cutout_lines: int = Field(5000, ge=1, description="most cutouts in one job")
    cutout_job_bytes: int = Field(20_000_000_000, ge=10_000, description="most bytes that the cutouts of one job have")

    # Harvesting other registries
    harvest_bytes: int = Field(
        50_000_000, ge=10_000, description="largest answer of a registry that `vo harvest` reads, in bytes"
    )
    harvest_seconds: float = Field(
        120.0, gt=0, description="longest that one answer of a registry may take, in seconds"
    )
    harvest_wait_seconds: float = Field(
        600.0, ge=0, description="longest that `vo harvest` waits for a registry that asks for patience, in seconds"
    )
    harvest_pages: int = Field(10_000, ge=1, description="most pages of a list of records that `vo harvest` reads")
    harvest_records: int = Field(200_000, ge=1, description="most records that `vo harvest` takes from one registry")
    harvest_private: bool = Field(
        False, description="harvest registries at private addresses, too (an observatory's own; tests)"
    )

    # The discovery page
    discoveries: int = Field(4, ge=1, description="searches of the discovery page that run at the same time; then 503")
    client_discoveries: int = Field(
        2, ge=1, description="such searches of one client that run at the same time; then 429"
    )
    discovery_seconds: float = Field(
        900.0, gt=0, description="longest that one search may take, in seconds; what it has found until then is kept"
    )
    discovery_service_seconds: float = Field(
        45.0, gt=0, description="longest that a search waits for all that one service has to say, in seconds"
    )
    discovery_rows: int = Field(10_000, ge=1, description="most rows that one search keeps")
    discovery_bytes: int = Field(
        50_000_000, ge=1000, description="largest answer of a service that a search reads, in bytes"
    )
    discovery_memory_bytes: int = Field(
        2_000_000_000, ge=300_000_000, description="most memory that the process of one search takes, in bytes"
    )
    discovery_minutes: float = Field(60.0, gt=0, description="how long the result of a search is kept, in minutes")
    discovery_private: bool = Field(
        False, description="ask services in private networks, too (for an observatory's own registry, and for tests)"
    )

    # Watching it
    disk_reserve_bytes: int = Field(
        1_000_000_000,
        ge=0,
        description="free space, in bytes, below which availability warns that a disk is nearly full and jobs write no "
        "more",
    )

    # Ingest
    footprint_tolerance: float = Field(
        2.0, gt=0, description="farthest a footprint's edge may run from the true edge, in arcsec"
    )

    @field_validator("collections", mode="before")
    @classmethod
    def _names(cls, value: object) -> object:
        """Split ``demo,dasch``, as an environment variable has it."""
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("authority")
    @classmethod
    def _authority(cls, value: str) -> str:
        if not _AUTHORITY.fullmatch(value):
            raise ValueError(
                "a naming authority is three or more lower-case letters, digits and . _ - + =, without ivo:// in "
                "front, such as skyview.example"
            )
        return value

    @field_validator("publisher_ivoid")
    @classmethod
    def _publisher_ivoid(cls, value: str | None) -> str | None:
        if value is not None and not _IVOID.fullmatch(value):
            raise ValueError("write the identifier of a registry record, such as ivo://skyview.example/organisation")
        return value

    @field_validator("publisher_url", "base_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^\s/?#]+(/\S*)?", value):
            raise ValueError("write an address of the web, such as https://plates.skyview.example")
        return value
