"""Fixtures that every test may ask for: settings, the database, databases of one's own."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import needs
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from vo.db.cluster import Cluster
from vo.db.connect import Database, external, private
from vo.db.migrate import initialise
from vo.metadata.collection import Collection, list_collections, load_collection
from vo.metadata.felis import load_catalogue
from vo.metadata.fields import Catalogue
from vo.settings import Settings

pytest_plugins = ["buckets", "exposures", "realdata", "serving", "registering"]

#: A test must say the same of a commit whenever it is asked, and however slow the machine is; new examples are looked
#: for on purpose, by `make fuzz`.
_CALM = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("repeatable", derandomize=True, **_CALM)
hypothesis.settings.register_profile("searching", derandomize=False, **_CALM)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

#: Tests need no durability.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
#: Bytes; a whole run takes less than a quarter of that.
_PLENTY = 8 << 30
_DOCKERFILE = Path(__file__).parent.parent / "docker" / "Dockerfile.db"


def pytest_configure() -> None:
    """SIGTERM breaks a run off in order, as Ctrl-C does: fixtures end, and with them servers and databases."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files anew from what tests produce")


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    # Not pytest's tmp_path: as root that is closed to the user PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="vo-test-", dir=_memory()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """A folder in memory, where there is plenty of it: a database is made there in a tenth of the time."""
    folder = Path("/dev/shm")  # noqa: S108  the folder made in it is our own
    is_there = os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > _PLENTY
    return folder if is_there else None


@pytest.fixture(scope="session")
def settings(data_dir: Path) -> Settings:
    """Settings of the shipped schema and collections, with a data folder of their own."""
    return Settings(data_dir=data_dir, dsn=None, query_dsn=None, _env_file=None)


@pytest.fixture(scope="session")
def collections(settings: Settings) -> tuple[Collection, ...]:
    """Every collection that is shipped."""
    return tuple(load_collection(settings, name) for name in list_collections(settings))


@pytest.fixture(scope="session")
def catalogue(settings: Settings, collections: tuple[Collection, ...]) -> Catalogue:
    return load_catalogue(settings, collections)


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL server for tests: ``open(name)`` gives the handle of one of its databases."""

    admin_dsn: str
    open: Callable[[str], Database]

    def create(self, name: str, template: str | None = None) -> None:
        source = f' TEMPLATE "{template}"' if template else " TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'"
        self._run(f'CREATE DATABASE "{name}"{source}')

    def drop(self, name: str) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.admin_dsn, autocommit=True) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def postgres(settings: Settings, data_dir: Path) -> Iterator[PostgresServer]:
    """PostgreSQL with pgSphere: that of VO_TEST_DSN (a superuser's), else a container, else a private cluster."""
    given = os.environ.get("VO_TEST_DSN")
    with contextlib.ExitStack() as stack:
        if given:
            yield _server_at(given, settings)
            return
        container = _container(stack)
        if container:
            yield _server_at(container, settings)
            return
        needs.need_postgresql()
        cluster = stack.enter_context(Cluster(data_dir, _FAST))
        atexit.register(cluster.stop)  # also when the run is broken off
        yield PostgresServer(cluster.dsn(database="postgres"), lambda name: private(cluster, settings, name))


def _server_at(dsn: str, settings: Settings) -> PostgresServer:
    """A server elsewhere: databases of our own beside the one named; vo_query gets a password to log in with."""

    def open_(name: str) -> Database:
        own = make_conninfo(dsn, dbname=name)
        with psycopg.connect(own, autocommit=True) as connection:
            connection.execute(
                "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vo_query') THEN "
                "CREATE ROLE vo_query; END IF; END $$"
            )
            connection.execute("ALTER ROLE vo_query LOGIN PASSWORD 'vo_query'")
        query = make_conninfo(own, user="vo_query", password="vo_query")  # noqa: S106 - a test's own role
        return external(settings.model_copy(update={"dsn": own, "query_dsn": query}))

    return PostgresServer(make_conninfo(dsn, dbname=conninfo_to_dict(dsn).get("dbname") or "postgres"), open_)


def _container(stack: contextlib.ExitStack) -> str | None:
    """The DSN of a pgSphere container, None when Docker does not answer."""
    if not _DOCKERFILE.is_file() or not _docker_answers():
        return None
    from testcontainers.core.image import DockerImage
    from testcontainers.postgres import PostgresContainer

    image = stack.enter_context(DockerImage(path=_DOCKERFILE.parent, dockerfile_path=_DOCKERFILE.name))
    started = stack.enter_context(PostgresContainer(str(image), driver=None))
    return str(started.get_connection_url(driver=None))


def _docker_answers() -> bool:
    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not host.startswith("unix://"):
        return True
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(host.removeprefix("unix://"))
        except OSError:
            return False
    return True


@pytest.fixture(scope="session")
def template(postgres: PostgresServer, catalogue: Catalogue) -> Iterator[str]:
    """Name of an initialised, empty database to copy; nobody may stay connected to it."""
    name = f"vo_template_{os.getpid()}"
    postgres.create(name)
    database = postgres.open(name)
    initialise(database, catalogue)
    database.close()
    yield name
    postgres.drop(name)


@pytest.fixture(scope="session")
def database(postgres: PostgresServer, template: str, catalogue: Catalogue) -> Iterator[Database]:
    """An initialised database that tests share; whoever loads data of their own takes fresh_database."""
    yield from _fresh(postgres, template, catalogue, f"vo_shared_{os.getpid()}")


_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def fresh_database(postgres: PostgresServer, template: str, catalogue: Catalogue) -> Iterator[Callable[..., Database]]:
    """Make initialised databases of one's own, empty or copies of another, one a call; all go with the module."""
    with contextlib.ExitStack() as stack:

        def make(original: str = template) -> Database:
            name = f"vo_own_{os.getpid()}_{next(_NUMBERS)}"
            making = contextlib.contextmanager(_fresh)(postgres, original, catalogue, name)
            return stack.enter_context(making)

        yield make


def _fresh(postgres: PostgresServer, template: str, catalogue: Catalogue, name: str) -> Iterator[Database]:
    postgres.create(name, template)
    database = postgres.open(name)
    initialise(database, catalogue)  # a copy has the tables but not the grants on the database itself
    yield database
    database.close()
    postgres.drop(name)
