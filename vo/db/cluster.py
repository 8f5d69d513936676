"""A private PostgreSQL cluster in a folder: made, started, mended and stopped by us, without a network port.

The folder is ``<data_dir>/cluster``: ``data`` (PostgreSQL's own), ``run`` (the socket) and ``postgres.log``. PostgreSQL
refuses to run as root, so as root it runs as an unprivileged user, to whom the folder then belongs.

Several processes may use one cluster at a time (``vo demo`` and ``vo ingest``): the first starts the server, the last
stops it, and one that finds a server left over by a killed process takes it over.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from vo.db.binaries import Binaries, find_binaries
from vo.errors import OperatorFault

LOG = logging.getLogger(__name__)

#: The cluster's own superuser, and the database that is served.
SUPERUSER = "vo_admin"
DATABASE = "vo"

#: Where the cluster goes when the data folder is closed to PostgreSQL's user (as /root is).
FALLBACK = Path("/var/lib/vo-plates")

#: A socket's path may have 107 bytes; PostgreSQL appends its file's name and, while it starts, ".lock".
_SOCKET_PATH_BYTES = 107 - len("/.s.PGSQL.5432.lock")
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LOG_BYTES = 10_000_000

#: Memory of its own that each process of the server may have: texts that a query puts together could need all there is,
#: and when the kernel ends one process, PostgreSQL ends all of them.
PROCESS_KILOBYTES = 2 * 1024**2

_CONFIGURATION = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "60",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "2",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_min_messages": "warning",
    "cluster_name": "vo",
}


class Cluster:
    """The cluster of one data folder; start it, use :meth:`dsn`, stop it (or use it as a context manager).

    ``configuration`` overrides parameters of PostgreSQL, for tests that need no durability. Everything that a person
    has to mend is an :class:`OperatorFault`.
    """

    def __init__(self, data_dir: Path, configuration: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir.absolute()
        self._configuration = {**_CONFIGURATION, **(configuration or {})}
        self._user = _unprivileged_user()
        self._server: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    @property
    def folder(self) -> Path:
        """The cluster's folder, links resolved."""
        return (self.data_dir / "cluster").resolve()

    @property
    def socket_dir(self) -> Path:
        """Where the socket is: inside the folder, or a short path under the temporary folder when that is too long."""
        inside = self.folder / "run"
        if len(os.fsencode(inside)) <= _SOCKET_PATH_BYTES:
            return inside
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"vo-{digest}"

    def dsn(self, role: str = SUPERUSER, database: str = DATABASE) -> str:
        """Address (libpq URI) of a database for a role; the cluster trusts whoever may reach its socket."""
        return psycopg.conninfo.make_conninfo(
            host=str(self.socket_dir), port=5432, user=role, dbname=database, connect_timeout=10
        )

    def _make_folder(self) -> None:
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
            reason = None if os.access(self.data_dir, os.W_OK | os.X_OK) else "Permission denied"
        except OSError as error:
            reason = error.strerror
        if reason is not None:
            raise OperatorFault(
                f"the folder {self.data_dir} cannot be written ({reason}); choose another with --data or VO_DATA_DIR"
            )

    def start(self) -> None:
        """Make the cluster if there is none, see that its server runs and that the database is there."""
        self._make_folder()
        with self._alone():
            self._lock = os.open(self.data_dir / "cluster.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            try:
                self._settle()
                self._make()
                self._launch()
                self._make_database()
            except BaseException:
                self._release()
                raise

    def stop(self) -> None:
        """Stop the server, unless another process still uses the cluster."""
        if self._lock is None:
            return
        with self._alone():
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                LOG.info("another process uses the database in %s; it goes on running", self.folder)
                if self._server is not None:
                    self._server.returncode = 0  # let go of it: whoever uses it last ends it
                    self._server = None
                self._release()
                return
            pid = self._running()
            if pid is not None:
                self._end(pid)
            elif self._server is not None:  # somebody else has ended it
                with suppress(subprocess.TimeoutExpired):
                    self._server.wait(_STOP_SECONDS)
            self._release()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- steps of start and stop

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one process at a time starts or stops."""
        handle = os.open(self.data_dir / "cluster.start.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _settle(self) -> None:
        """Make the folder where PostgreSQL's user can reach it, and give it to that user."""
        link = self.data_dir / "cluster"
        if link.is_symlink() and not link.exists():
            link.unlink()
        if not link.exists() and (closed := self._closed_parent(self.data_dir)) is not None:
            link.symlink_to(self._elsewhere(closed))
        link.mkdir(mode=0o700, exist_ok=True)
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        closed = self._closed_parent(self.folder.parent)
        if closed is not None:
            name = self._user.pw_name if self._user else "this user"
            raise OperatorFault(
                f"PostgreSQL (as user {name}) cannot enter {closed}: run `chmod o+x {closed}`, "
                "or set VO_DATA_DIR to a folder that every user may enter, such as /var/lib/vo-data"
            )
        self._make_socket_dir()

    def _elsewhere(self, closed: Path) -> Path:
        try:
            FALLBACK.mkdir(mode=0o755, parents=True, exist_ok=True)
            target = Path(tempfile.mkdtemp(prefix="cluster-", dir=FALLBACK))
        except OSError as error:
            raise OperatorFault(
                f"PostgreSQL cannot enter {closed}, and {FALLBACK} cannot be used instead ({error.strerror}): "
                "set VO_DATA_DIR to a folder that every user may enter"
            ) from error
        LOG.warning("PostgreSQL cannot enter %s: its files go to %s", closed, target)
        return target

    def _closed_parent(self, folder: Path) -> Path | None:
        """The first of a folder and its parents that PostgreSQL's user cannot enter."""
        user = self._user
        if user is None:
            return None
        groups = os.getgrouplist(user.pw_name, user.pw_gid)
        for parent in (folder.resolve(), *folder.resolve().parents):
            about = parent.stat()
            bit = 0o100 if about.st_uid == user.pw_uid else 0o010 if about.st_gid in groups else 0o001
            if not about.st_mode & bit:
                return parent
        return None

    def _make_socket_dir(self) -> None:
        path = self.socket_dir
        path.mkdir(mode=0o700, exist_ok=True)
        about = path.lstat()
        mine = {os.getuid()} | ({self._user.pw_uid} if self._user else set())
        if path.is_symlink() or not path.is_dir() or about.st_uid not in mine:
            raise OperatorFault(f"{path} is needed for the database's socket but belongs to somebody else: remove it")
        if self._user is not None:
            os.chown(path, self._user.pw_uid, self._user.pw_gid)
        path.chmod(0o700)

    def _make(self) -> None:
        data, new = self.folder / "data", self.folder / "data.new"
        if data.exists():
            return
        shutil.rmtree(new, ignore_errors=True)  # what a killed first start left
        binaries = find_binaries()
        command = [binaries.program("initdb"), "--pgdata", str(new), "--username", SUPERUSER, "--encoding", "UTF8"]
        command += ["--locale", "C", "--auth-local", "trust", "--auth-host", "reject"]
        done = self._run(command)
        if done.returncode != 0:
            raise OperatorFault(f"initdb could not make a database cluster in {self.folder}: {_tail(done.stderr)}")
        new.rename(data)

    def _launch(self) -> None:
        if self._running() is not None:
            try:
                self._wait_ready(None, time.monotonic() + _START_SECONDS)
            except OperatorFault:
                LOG.warning("the database server in %s does not answer; it is started anew", self.folder)
                self._end(self._running())
            else:
                return
        binaries = find_binaries(int((self.folder / "data" / "PG_VERSION").read_text().strip()))
        deadline = time.monotonic() + _START_SECONDS
        while True:
            (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)  # nobody runs: it is stale
            self._server = self._spawn(binaries)
            if self._wait_ready(self._server, deadline):
                return
            said = _tail(self._log().read_bytes())
            # After a kill -9 of the server its children need a moment to notice and go.
            if "shared memory block" not in said or time.monotonic() > deadline:
                raise OperatorFault(f"PostgreSQL does not start in {self.folder}: {said}")
            time.sleep(0.2)

    def _spawn(self, binaries: Binaries) -> subprocess.Popen[bytes]:
        log = self._log()
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.rename(log.with_suffix(".log.old"))
        # the shell sets the limit and becomes the server, whose processes inherit it
        command = ["/bin/sh", "-c", f'ulimit -d {PROCESS_KILOBYTES}; exec "$@"', "sh"]
        command += [binaries.program("postgres"), "-D", str(self.folder / "data")]
        for name, value in {**self._configuration, "unix_socket_directories": str(self.socket_dir)}.items():
            command += ["-c", f"{name}={value}"]
        with log.open("ab") as stream:
            # A session of its own: Ctrl-C in a terminal is for us, and we stop the server in order.
            return subprocess.Popen(  # noqa: S603 - our own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
                **self._as_user(),
            )

    def _wait_ready(self, server: subprocess.Popen[bytes] | None, deadline: float) -> bool:
        """Wait until the server answers; False when it ended instead."""
        while time.monotonic() < deadline:
            if server is not None and server.poll() is not None:
                return False
            try:
                with psycopg.connect(self.dsn(database="postgres"), connect_timeout=5):
                    return True
            except psycopg.OperationalError:
                time.sleep(0.05)
        raise OperatorFault(
            f"PostgreSQL in {self.folder} does not answer after {_START_SECONDS:g} s; see {self._log()}"
        )

    def _make_database(self) -> None:
        with psycopg.connect(self.dsn(database="postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _running(self) -> int | None:
        """The server's process, if it runs: the pid file may be stale and its number taken by another process."""
        try:
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        if self._server is not None and self._server.pid == pid:
            return pid if self._server.poll() is None else None
        if Path("/proc/self").exists():
            try:
                return pid if Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.folder / "data" else None
            except OSError:
                return None
        return pid if _is_alive(pid) else None

    def _end(self, pid: int | None) -> None:
        if pid is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):  # fast, immediate, at once
            with suppress(ProcessLookupError):
                os.kill(pid, how)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                if self._has_ended(pid):
                    return
                time.sleep(0.02)
        LOG.error("the database server %d in %s does not stop", pid, self.folder)

    def _has_ended(self, pid: int) -> bool:
        if self._server is not None and self._server.pid == pid:
            return self._server.poll() is not None
        return not _is_alive(pid)

    def _log(self) -> Path:
        return self.folder / "postgres.log"

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command, capture_output=True, check=False, **self._as_user())  # noqa: S603 - no shell

    def _as_user(self) -> dict[str, Any]:
        common: dict[str, Any] = {"cwd": self.folder, "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}}
        if self._user is None:
            return common
        return {**common, "user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise OperatorFault("PostgreSQL does not run as root and there is no user postgres or nobody: make one")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:  # one that has ended but whose parent has not looked yet is dead for us
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def _tail(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return " / ".join(lines[-6:]) or "it said nothing"
