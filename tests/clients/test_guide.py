"""docs/publishing.md followed to the letter: two collections from nothing to being found.

Only the port is another one than the page says, so that servers do not meet. Commands are run by bash with ``vo`` on
the PATH, in an empty folder. What the page shows of answers is compared with them, and beyond that it is asked whether
the collections are really published.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import astropy.units as u
import httpx
import pytest
import pyvo
import realdata
from astropy.coordinates import SkyCoord
from guide import Step, steps, unsaid
from mocpy import MOC
from patience import PATIENCE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "publishing.md").read_text(encoding="utf-8")
LARGE = "## 8. "
UKST = "ukst_catalog.txt"


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Curator:
    """Somebody who does what the guide says, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.port = str(free_port())
        self.url = f"http://127.0.0.1:{self.port}"
        self.said = ""
        self.server: subprocess.Popen[bytes] | None = None
        programs = folder / "bin"
        programs.mkdir()
        vo = programs / "vo"
        vo.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from vo.cli import main; main()" "$@"\n')
        vo.chmod(0o755)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
        self.environment = {
            **kept,
            "PATH": f"{programs}:{kept['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
            "HOME": str(folder),
        }

    def follow(self, text: str) -> None:
        for step in steps(text):
            self.take(step)

    def take(self, step: Step) -> None:
        text = step.text.replace("8080", self.port)
        if step.kind == "file":
            path = self.folder / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif step.kind == "text":
            line = unsaid(text, self.said)
            assert line is None, f"line {step.line} of the guide: not said: {line!r}\n{self.said}"
        elif text.strip() == "vo serve":
            self.serve()
        else:
            program = ["bash", "-euo", "pipefail", "-c"] if step.kind == "sh" else [sys.executable, "-W", "error", "-c"]
            done = subprocess.run(
                [*program, text], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
            )
            self.said = done.stdout + done.stderr
            assert done.returncode == 0, f"line {step.line} of the guide: {text}\n{self.said}"

    def serve(self) -> None:
        """Start the server; one that runs is ended first, as the guide says."""
        self.stop()
        log = (self.folder / "server.log").open("ab")
        with log:
            self.server = subprocess.Popen(
                ["vo", "serve"], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                httpx.get(f"{self.url}/tap/availability", timeout=PATIENCE).raise_for_status()
            except httpx.HTTPError:
                assert self.server.poll() is None, (self.folder / "server.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.wait(PATIENCE)
            self.server = None


@pytest.fixture(scope="module")
def curator(postgres, tmp_path_factory) -> Iterator[Curator]:
    del postgres  # only that there is a PostgreSQL on this machine
    one = Curator(tmp_path_factory.mktemp("guide"))
    try:
        yield one
    finally:
        one.stop()


def coverage(service: pyvo.dal.TAPService, ivoid: str) -> MOC:
    rows = service.search(f"SELECT coverage FROM rr.stc_spatial WHERE ivoid = '{ivoid}'")
    return MOC.from_string(str(rows["coverage"][0]))


@pytest.mark.timeout(900)
def test_a_small_collection_from_nothing_to_being_found(curator):
    curator.follow(GUIDE.partition(LARGE)[0])
    service = pyvo.dal.TAPService(f"{curator.url}/tap")
    assert service.search("SELECT COUNT(*) AS n FROM starhill.plates")["n"][0] == 12
    assert service.search("SELECT COUNT(*) AS n FROM ivoa.obscore")["n"][0] == 8
    pleiades = service.search("SELECT t_min, t_exptime FROM starhill.plates WHERE plate_id = 'A 2'")[0]
    assert pleiades["t_min"] == pytest.approx(33962 + (23 - 1 + 5 / 60) / 24, abs=1e-6)  # zone of +1 hour
    assert pleiades["t_exptime"] == pytest.approx(2700.0)
    orion = service.search("SELECT t_min FROM starhill.plates WHERE plate_id = 'A 3'")[0]
    assert orion["t_min"] == pytest.approx(33963 + 1 + (1 - 1 + 10 / 60) / 24, abs=1e-6)  # after midnight
    moc = coverage(service, "ivo://org.starhill/starhill")
    inside = moc.contains_skycoords(SkyCoord([56.75, 83.82, 200.0] * u.deg, [24.12, -5.39, -60.0] * u.deg))
    assert list(inside) == [True, True, False]
    assert httpx.get(f"{curator.url}/oai?verb=Identify", timeout=PATIENCE).status_code == 200


@pytest.mark.timeout(900)
def test_the_plates_of_the_uk_schmidt(curator):
    shutil.copy(realdata.path(UKST), curator.folder / UKST)
    if curator.server is None:  # this test alone
        curator.follow(GUIDE.partition(LARGE)[0])
    curator.follow(GUIDE.partition(LARGE)[2])
    service = pyvo.dal.TAPService(f"{curator.url}/tap")
    assert service.search("SELECT COUNT(*) AS n FROM ukst.plates")["n"][0] == 17886
    south = coverage(service, "ivo://org.starhill/ukst")
    places = service.search("SELECT TOP 500 s_ra, s_dec FROM ukst.plates WHERE s_ra IS NOT NULL", maxrec=500)
    assert south.contains_skycoords(SkyCoord(places["s_ra"], places["s_dec"], unit="deg")).all()
    assert south.sky_fraction < 0.95
    found = service.search("SELECT ivoid FROM rr.resource WHERE ivoid LIKE 'ivo://org.starhill/%'")
    assert {"ivo://org.starhill/starhill", "ivo://org.starhill/ukst"} <= set(found["ivoid"])


def test_the_guide_has_the_shipped_description_of_the_uk_schmidt():
    """What people copy from the page is what vo-plates ships and tests."""
    files = {step.name: step.text for step in steps(GUIDE) if step.kind == "file"}
    for name in ("collection.toml", "mapping.toml", "columns.yaml"):
        assert files[f"resources/ukst/{name}"] == (ROOT / "resources" / "ukst" / name).read_text(encoding="utf-8"), name


def test_every_block_of_the_guide_is_followed():
    kinds = [step.kind for step in steps(GUIDE)]
    assert kinds.count("sh") >= 8
    assert kinds[0] == "file"
    assert not re.search(r"^~~~", GUIDE, re.MULTILINE)


@pytest.mark.parametrize(
    ("wanted", "said", "missing"),
    [
        ("a b\nc", "x a  b y\nc", None),
        ("a\nb", "b\na", "b"),
        ("written: .../x.toml", "written: /tmp/deep/x.toml", None),
        ("12 plates", "11 plates", "12 plates"),
    ],
)
def test_how_answers_are_compared(wanted, said, missing):
    assert unsaid(wanted, said) == missing
