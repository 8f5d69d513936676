"""What the measurements share: they run on purpose only, ask a server of its own process, and end in one table."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import exposures as large
import measuring
import pytest
import wire

from vo.db.connect import Database

ROOT = Path(__file__).parents[2]
_REPORT = pytest.StashKey[measuring.Report]()
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.005
_ADDRESS = re.compile(r"http://127\.0\.0\.1:([0-9]+)")
_PROGRAM = "from vo.cli import main; main()"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = measuring.Report()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report = config.stash[_REPORT]
    if not report.lines:
        return
    terminalreporter.section("measured")
    for line in measuring.plain_table(report):
        terminalreporter.write_line(line)
    if os.environ.get("BENCH_WRITE") == "1":
        measuring.write_document(report)


@pytest.fixture(autouse=True)
def on_purpose(request: pytest.FixtureRequest) -> None:
    if not request.config.getoption("benchmark_enable"):
        pytest.skip("measured by `make bench` only")


@pytest.fixture
def lines(request: pytest.FixtureRequest, benchmark) -> measuring.Lines:
    """Takes what a test measures; the times that pytest-benchmark itself shows are of a single run."""
    return measuring.Lines(request.config.stash[_REPORT], benchmark.extra_info)


@dataclass(frozen=True)
class Service:
    """``vo serve`` in a process of its own, with its worker, over the large archive."""

    port: int
    process: int
    database: Database

    def ask(self, request: bytes) -> wire.Reply:
        """Ask on a new connection; the answer has to be a good one."""
        with wire.Connection(self.port) as connection:
            reply = connection.ask(request)
        assert reply.status in (200, 303), reply
        return reply

    @property
    def cpu(self) -> float:
        """Seconds that the server's process has used of all cores."""
        fields = Path(f"/proc/{self.process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Memory of the server's process that is in RAM, MiB."""
        status = Path(f"/proc/{self.process}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+([0-9]+) kB", status)
        assert found is not None, status
        return int(found[1]) / 1024

    def growth(self, work: Callable[[], object]) -> float:
        """By how much the memory is larger at any moment of ``work`` than before, MiB."""
        before, most = self.memory(), 0.0
        is_done = threading.Event()

        def look() -> None:
            nonlocal most
            while not is_done.wait(_LOOK_SECONDS):
                most = max(most, self.memory())

        looking = threading.Thread(target=look)
        looking.start()
        try:
            work()
        finally:
            is_done.set()
            looking.join()
        return max(most, self.memory()) - before


@pytest.fixture(scope="session")
def serve(
    request: pytest.FixtureRequest, exposures: Database, start: Callable[[Database], Iterator[Service]]
) -> Callable[[], Iterator[Service]]:
    """Start another ``vo serve``, as ``with serve() as service``: memory is measured in one that has done nothing."""
    facts = request.config.stash[_REPORT].facts
    facts += measuring.machine_facts(exposures.owner_dsn, large.NARROW)
    return lambda: start(exposures)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Database], Iterator[Service]]:
    """Start ``vo serve`` over a database, as ``with start(database) as service``."""

    @contextmanager
    def started(database: Database) -> Iterator[Service]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
        environment |= {
            "VO_DSN": database.owner_dsn,
            "VO_QUERY_DSN": database.query_dsn,
            "VO_DATA_DIR": str(tmp_path_factory.mktemp("served")),
            "COLUMNS": "1000",
        }
        log = tmp_path_factory.mktemp("log") / "serve.log"
        with log.open("w") as stream:
            command = [sys.executable, "-c", _PROGRAM, "serve", "--port", "0"]
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=stream)
        try:
            port = _wait_for_port(process, log)
            service = Service(port, process.pid, database)
            _wait_until_it_answers(service)
            yield service
            assert process.poll() is None, f"the server has ended: {log.read_text()}"
        finally:
            process.terminate()
            process.wait(_START_SECONDS)

    return started


@pytest.fixture(scope="session")
def service(serve: Callable[[], Iterator[Service]]) -> Iterator[Service]:
    """The server that all measurements share but those of memory."""
    with serve() as started:
        yield started


def _wait_for_port(process: subprocess.Popen[bytes], log: Path) -> int:
    deadline = time.monotonic() + _START_SECONDS
    while (found := _ADDRESS.search(log.read_text())) is None:
        assert process.poll() is None, f"the server does not start: {log.read_text()}"
        assert time.monotonic() < deadline, "the server does not start"
        time.sleep(0.05)
    return int(found[1])


def _wait_until_it_answers(service: Service) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            service.ask(wire.query("SELECT TOP 1 obs_id FROM ivoa.obscore"))
        except OSError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)
        else:
            return
