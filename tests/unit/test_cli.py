"""The command `vo`: what it prints, how it starts and stops, and what it says when something is wrong."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import httpx
import needs
import numpy as np
import pytest
from astropy.io import fits

import vo
from vo import cli
from vo.demo import make

COMMANDS = (
    "demo",
    "init",
    "ingest",
    "new",
    "check",
    "publish",
    "serve",
    "work",
    "adql",
    "products",
    "solutions",
    "harvest",
)
VO = [sys.executable, "-c", "from vo.cli import main; main()"]
PATIENCE = 90


@pytest.fixture(scope="module")
def private():
    needs.need_postgresql()


@pytest.fixture(scope="module")
def data(settings, private):
    """A data folder that has the demo's files already, so that starting is quick."""
    folder = Path(tempfile.mkdtemp(prefix="vo-cli-"))
    folder.chmod(0o755)
    assert list(make(settings))
    shutil.copytree(settings.data_dir / "demo", folder / "demo")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
    return {**kept, "COLUMNS": "120", "PYTHONUNBUFFERED": "1", **more}


@dataclass(frozen=True)
class Done:
    """What a command left: its status and what it said."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments, **more):
    """Run a command to its end, in this process: starting Python anew would take most of the time."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(os, "environ", environment(**more))
        patch.setattr(sys, "argv", ["vo", *map(str, arguments)])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 0
    return Done(status, out.getvalue(), err.getvalue())


@contextmanager
def started(*arguments, **more):
    """A running `vo`, with its first line that names an address; ended with its group when the test leaves it."""
    process = subprocess.Popen(
        [*VO, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=environment(**more),
    )
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"on (http://127\.0\.0\.1:\d+)", line):
                yield process, found[1], said
                return
        pytest.fail("it ended before it served: " + "".join(said))
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)
        process.stdout.close()


def get(url):
    return httpx.get(url, timeout=PATIENCE).raise_for_status().text


def wait_until_served(url):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return get(url)
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def is_one_friendly_line(done, *words):
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0, done.stderr
    assert done.stderr.startswith("vo: ")
    for word in words:
        assert word in done.stderr


# -- words


def test_version():
    assert run("--version").stdout == f"vo-plates {vo.__version__}\n"


def test_help_lists_exactly_the_commands_that_do_something():
    text = run("--help").stdout
    listed = re.findall(r"^│ (\w+) {2,}", text, flags=re.MULTILINE)
    assert sorted(listed) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(command):
    done = run(command, "--help")
    assert done.returncode == 0
    assert f"Example: vo {command}" in done.stdout


def loaded_by(*arguments, **more):
    """The modules that a new process has when the command is done."""
    script = "import sys\nfrom vo.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(**more),
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("ingest", "--help")])
def test_help_waits_for_nothing_heavy(arguments):
    loaded = loaded_by(*arguments)
    assert "vo.errors" in loaded
    assert not loaded & {"numpy", "astropy", "sqlalchemy", "pyarrow", "psycopg", "starlette", "vo.app"}


def test_ingest_does_without_the_web_server(data):
    loaded = loaded_by("ingest", "samples", data / "demo" / "tpv" / "tpv.fits", "--data", data)
    assert "vo.ingest.load" in loaded
    assert not loaded & {"starlette", "uvicorn", "vo.app", "vo.context", "vo.adql"}


# -- what is wrong is one line that says what to do


def test_a_bad_setting_is_named(tmp_path):
    is_one_friendly_line(run("check", "demo", VO_PORT="eighty"), "VO_PORT", "docs/settings.md")


def test_an_unknown_collection_is_answered_with_the_known_ones():
    is_one_friendly_line(run("check", "nosuch"), "nosuch", "demo", "VO_RESOURCES_DIR")


def test_check_names_every_mistake_with_its_line(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "collection.toml").write_text('name = "mine"\ntitel = "My plates"\ncreators = []\n')
    (folder / "columns.yml").write_text("")
    (folder / "examples.adql").write_text("-- name: All\nSELECT *\nFROM mine.plate\n")
    done = run("check", "mine", VO_RESOURCES_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "vo: 5 mistakes in mine\n"
    rows = table_rows(done.stdout)
    assert [row[:2] for row in rows] == [
        ["collection.toml", ""],
        ["collection.toml:2", 'titel="Myplates"'],
        ["collection.toml:3", "creators=[]"],
        ["columns.yml", ""],
        ["examples.adql:3", "FROMmine.plate"],
    ]
    assert rows[0][2] == "description:isrequiredandnotthere"
    assert rows[1][3] == "didyoumeantitle?"
    assert rows[3][3] == "didyoumeancolumns.yaml?"
    assert "mine.plate" in rows[4][2]


def test_new_writes_what_check_finds_sound(tmp_path):
    (tmp_path / "list.csv").write_text("plate,date,ra,dec\np1,1931-02-03,120.5,-3.25\n")
    resources = tmp_path / "resources"
    options = [
        "--source",
        tmp_path / "list.csv",
        "--title",
        "Our plates",
        "--creator",
        "We",
        "--creator",
        "You",
        "--yes",
    ]
    done = run("new", "mine", *options, VO_RESOURCES_DIR=str(resources))
    assert done.returncode == 0, done.stderr
    assert "mapping.toml" in done.stdout
    assert 'creators = ["We", "You"]' in (resources / "mine" / "collection.toml").read_text()
    checked = run("check", "mine", VO_RESOURCES_DIR=str(resources))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    again = run("new", "mine", "--yes", VO_RESOURCES_DIR=str(resources))
    is_one_friendly_line(again, "is there already")


def test_new_asks_for_what_no_option_gave(tmp_path, monkeypatch):
    answers = iter(["Our plates", "Plates of ours.", "We; You", "Skyview", "", "CC BY 4.0", "wide", "101.5", "160", ""])
    monkeypatch.setattr("typer.prompt", lambda _question, default: next(answers) or default)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    done = run("new", "mine", VO_RESOURCES_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "Write a number above 0" in done.stderr
    text = (tmp_path / "mine" / "collection.toml").read_text()
    for line in ('creators = ["We", "You"]', 'facility_name = "Skyview"', "plate_scale = 101.5  #", "# height_mm ="):
        assert line in text
    assert not (tmp_path / "mine" / "mapping.toml").exists()


def test_new_without_a_terminal_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    is_one_friendly_line(run("new", "mine", VO_RESOURCES_DIR=str(tmp_path)), "--yes")
    assert list(tmp_path.iterdir()) == []


def table_rows(shown: str) -> list[list[str]]:
    """The rows of a table with lines between them, without any blanks: cells are folded as the width asks."""
    rows = []
    for part in re.split(r"\n[├└┡].*", shown):
        lines = [line.split("│")[1:-1] for line in part.splitlines() if "│" in line]
        rows += (
            [["".join("".join(cell.split()) for cell in cells) for cells in zip(*lines, strict=True)]] if lines else []
        )
    return rows


def test_check_tells_what_a_source_would_give(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "collection.toml").write_text(
        'name = "mine"\ntitle = "Mine"\ndescription = "Plates."\ncreators = ["Me"]\n'
        "[footprint]\nwidth_mm = 100\nplate_scale = 100\n"
    )
    header = {
        "PLATEID": "p1",
        "RA": 10.0,
        "DEC": 20.0,
        "DATE-OBS": "1931-02-03",
        "EXPTIME": 600,
        "NAXIS1": 9,
        "NAXIS2": 9,
    }
    source = tmp_path / "headers.jsonl"
    source.write_text(json.dumps({"file": "p1.fits", "header": header}) + "\n")
    done = run("check", "mine", str(source), VO_RESOURCES_DIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "The description is sound." in done.stdout
    assert "doi" in done.stdout  # what would make its record better
    assert re.search(r"rows in mine.plates *│ *1 ", done.stdout)
    assert re.search(r"t_exptime *│ *100 % *│ *600 ", done.stdout)
    none = run("check", "mine", str(tmp_path / "none.fits"), VO_RESOURCES_DIR=str(tmp_path))
    assert none.returncode == 1
    assert "none.fits does not exist" in none.stderr


def test_products_check_says_what_is_missing(data):
    scan = data / "demo" / "tpv" / "tpv.fits"
    copy = data / "copies" / scan.name
    copy.parent.mkdir()
    shutil.copy(scan, copy)
    assert run("ingest", "samples", copy, "--data", data).returncode == 0
    sound = run("products", "check", "samples", "--data", data)
    assert (sound.returncode, "missing" in sound.stdout) == (0, False), sound.stderr
    with copy.open("ab") as file:
        file.write(bytes(2880 * 1000))
    longer = run("products", "check", "samples", "--data", data)
    assert longer.returncode == 1
    assert re.search(rf"^length \S*{copy.name}: ", longer.stdout, flags=re.MULTILINE)
    query = "SELECT access_estsize FROM ivoa.obscore WHERE obs_collection = 'SAMPLES'"
    size = run("adql", "-q", query, "--data", data)
    assert str(-(-copy.stat().st_size // 1000)) in size.stdout.replace(",", ""), size
    copy.unlink()
    gone = run("products", "check", "samples", "--checksums", "--data", data)
    assert gone.returncode == 1
    assert re.search(rf"^missing \S*{copy.name}: ", gone.stdout, flags=re.MULTILINE)


def test_products_make_makes_what_is_missing_and_tells_what_is_damaged(data):
    scan = data / "demo" / "tpv" / "tpv.fits"
    folder = data / "scans"
    folder.mkdir()
    shutil.copy(scan, folder / "good.fits")
    shutil.copy(scan, folder / "bad.fits")
    assert run("ingest", "samples", folder, "--data", data).returncode == 0
    (folder / "bad.fits").write_bytes(scan.read_bytes()[:100_000])
    made = run("products", "make", "samples", "--what", "bin, thumbnail", "--jobs", "1", "--data", data)
    assert made.returncode == 1
    assert re.search(r"^not made \S*bad.fits: .*shorter than its header says", made.stderr, flags=re.MULTILINE)
    assert re.search(r"made now\W+2\W", made.stdout)
    names = sorted(path.name for path in (data / "products" / "samples").rglob("good*.*"))
    assert names == ["good_bin16.fits", "good_thumbnail.jpg"]
    assert "photo" in run("products", "make", "samples", "--what", "photo", "--data", data).stderr


def _hear_interrupts() -> None:
    """What runs in the background, as tests may, ignores Ctrl-C, and so do those that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_products_make_that_is_stopped_leaves_whole_files_and_goes_on(data):
    """Ctrl-C reaches all processes of a terminal: the first decides, no half file stays, what is there is recorded."""
    folder = data / "many"
    folder.mkdir()
    first = folder / "m00.fits"
    fits.PrimaryHDU(np.arange(4_000_000, dtype=np.int32).reshape(2000, 2000)).writeto(first)
    for number in range(1, 30):
        (folder / f"m{number:02d}.fits").hardlink_to(first)
    assert run("ingest", "samples", folder, "--data", data).returncode == 0
    command = ["products", "make", "samples", "--what", "bin", "--jobs", "1", "--data", str(data)]
    command += [word for number in range(30) for word in ("--plates", f"m{number:02d}")]
    process = subprocess.Popen(
        [*VO, *command],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment(),
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 - one call of the system, between fork and exec
    )
    made = data / "products" / "samples"
    deadline = time.monotonic() + PATIENCE
    while not list(made.rglob("m*_bin16.fits")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert not list(made.rglob("*.part"))
    before = len(list(made.rglob("m*_bin16.fits")))
    assert 1 <= before < 30
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert len(list(made.rglob("m*_bin16.fits"))) == 30
    assert re.search(rf"made now\W+{30 - before}\W", done.stdout)
    assert re.search(rf"records new or changed\W+{30 - before}\W", done.stdout)


@pytest.mark.parametrize("collection", ["demo", "dasch", "poss1", "samples", "ukst"])
def test_the_shipped_collections_are_sound(collection):
    done = run("check", collection)
    assert done.returncode == 0, done.stderr
    assert "sound" in done.stdout


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_that_is_taken_is_told_at_once(command, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(command, "--port", port, "--data", tmp_path / "data")
    is_one_friendly_line(done, str(port), "--port")
    assert not (tmp_path / "data" / "cluster").exists()


@pytest.mark.parametrize("command", [("init",), ("ingest", "demo", "plates"), ("adql", "SELECT 1 FROM demo.plates")])
def test_a_data_folder_that_cannot_be_made_is_told(command, private, tmp_path):
    (tmp_path / "file").touch()
    is_one_friendly_line(run(*command, "--data", tmp_path / "file" / "data"), str(tmp_path / "file"), "--data")


def test_serving_nothing_is_refused(private):
    with tempfile.TemporaryDirectory(prefix="vo-cli-") as folder:
        Path(folder).chmod(0o755)
        is_one_friendly_line(run("serve", "--port", 0, "--data", folder), "vo ingest")


# -- the demo's life


def test_demo_serves_shares_its_database_and_stops_in_order(data):
    # An operator's database is none of its business: it would fail if it tried this one.
    dsn = "postgresql://nobody@127.0.0.1:1/none"
    with started("demo", "--port", 0, "--data", data, VO_DSN=dsn, VO_QUERY_DSN=dsn) as (process, base, _):
        assert "SYNTHETIC" in wait_until_served(base)
        # its records name the port that it really has
        record = get(f"{base}/oai?verb=GetRecord&metadataPrefix=ivo_vor&identifier=ivo://vo-plates.example/tap")
        assert f">{base}/tap</accessURL>" in record
        second = run("demo", "--port", 0, "--data", data)
        assert second.returncode == 1
        assert "another `vo demo`" in second.stderr
        assert "--data" in second.stderr
        # a query on the command line uses the running database and leaves it running
        asked = run("adql", "SELECT plate_id, s_ra, t_exptime FROM demo.plates WHERE plate_id = 'pole'", "--data", data)
        assert asked.returncode == 0, asked.stderr
        assert re.search(r"pole +│ 40\.0", asked.stdout)
        assert "t_exptime [s]" in asked.stdout
        assert "SELECT" in asked.stdout.split("┏")[0]
        asks_for_plans(data)
        cut = run("adql", "SELECT plate_id FROM demo.plates", "--rows", 3, "--data", data)
        assert "more rows" in cut.stdout
        alone = run("adql", "-q", "SELECT plate_id FROM demo.plates WHERE plate_id = 'pole'", "--data", data)
        assert alone.stdout.startswith("┏━━━━━━━━━━┓")
        wrong = run("adql", "SELECT plate\nFROM demo.plates", "--data", data)
        assert wrong.returncode == 1
        problem, line, caret = wrong.stderr.splitlines()
        assert problem.startswith("vo: line 1, column 8: there is no column plate")
        assert "did you mean plate_id?" in problem
        assert (line, caret) == ("SELECT plate", "       ^")
        assert "SYNTHETIC" in get(base)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert not (data / "cluster" / "data" / "postmaster.pid").exists()


def asks_for_plans(data):
    """`vo adql --explain`: the index, the hint where none helps, times on demand, and a pass left out."""
    near = "SELECT plate_id FROM demo.plates WHERE DISTANCE(s_ra, s_dec, 214.6, 28.4) < 1"
    planned = run("adql", "-q", "--explain", near, "--data", data, VO_HINT_ROWS="100")
    assert "by index plates_position" in planned.stdout
    assert "planned in" in planned.stdout
    assert "took" not in planned.stdout + planned.stderr
    assert "hint" not in planned.stdout
    slow = run("adql", "-q", "--analyze", "--without", "use_cones", near, "--data", data, VO_HINT_ROWS="100")
    assert "plates_position" not in slow.stdout
    assert re.search(r"Seq Scan of demo\.plates   cost \d+, rows \d+   took \d", slow.stdout), slow.stdout
    assert re.search(r"hint: demo\.plates \(\d,\d+ rows\) is read whole", slow.stdout)
    broken = run("adql", "-q", "--explain", "SELECT 1 / 0 FROM demo.plates", "--data", data)
    is_one_friendly_line(broken, "division by zero")


def test_demo_killed_starts_again_over_its_data(data):
    with started("demo", "--port", 0, "--data", data) as (process, base, _):
        wait_until_served(base)
        process.kill()
        process.wait(PATIENCE)
    began = time.monotonic()
    with started("demo", "--port", 0, "--data", data) as (process, base, said):
        wait_until_served(f"{base}/plates/demo/comet_1941")
        assert time.monotonic() - began < PATIENCE  # 5 on an idle machine with two cores
        assert not [line for line in said if "Traceback" in line]
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
    assert not (data / "cluster" / "data" / "postmaster.pid").exists()


def test_work_runs_jobs_beside_a_server_and_stops_in_order(data):
    with started("demo", "--port", 0, "--data", data, VO_WORKERS="0") as (_, base, _):
        wait_until_served(base)
        made = httpx.post(
            f"{base}/tap/async", data={"QUERY": "SELECT plate_id FROM demo.plates", "PHASE": "RUN"}, timeout=PATIENCE
        )
        job = made.headers["location"]
        assert get(f"{job}/phase") == "QUEUED"
        worker = subprocess.Popen([*VO, "work", "--data", data], stderr=subprocess.PIPE, text=True, env=environment())
        assert "4 at a time" in worker.stderr.readline()
        deadline = time.monotonic() + PATIENCE
        while get(f"{job}/phase") != "COMPLETED":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0
        worker.stderr.close()
        assert "plate_id" in get(f"{job}/results/result")


# -- queries without a database


def test_adql_shows_tree_sql_and_columns_without_a_database():
    done = run(
        "adql", "--no-run", "SELECT TOP 3 obs_id AS o FROM ivoa.obscore WHERE t_min > 1 AND t_max < 2", VO_DSN="x"
    )
    assert done.returncode == 0, done.stderr
    tree, sql, columns = done.stdout.split("\n\n")
    assert tree.splitlines()[:2] == ["Query", "└─ body: Select top=3"]
    assert "items: Item alias=o" in tree
    assert 'SELECT obscore.obs_id AS "o"\nFROM ivoa.obscore AS obscore\nWHERE ' in sql
    assert "\n  AND obscore.t_min > 1" in sql
    assert re.search(r"│ o +│ char +│ \* +│ +│ +│ meta.id +│", columns)


def test_adql_shows_only_what_is_wanted():
    query = "SELECT obs_id FROM ivoa.obscore"
    assert run("adql", "--no-run", "--no-tree", "--no-columns", query).stdout.startswith("SELECT obscore.obs_id")
    assert run("adql", "--no-run", "--no-sql", "--no-columns", query).stdout.startswith("Query\n")
    assert run("adql", "--no-run", "--no-sql", "--no-tree", query).stdout.startswith("┏")
    assert run("adql", "--no-run", "-q", query).stdout == ""


def test_adql_knows_the_collections_that_are_described_or_set():
    assert run("adql", "--no-run", "-q", "SELECT plate_id FROM dasch.plates").returncode == 0
    other = run("adql", "--no-run", "-q", "SELECT plate_id FROM dasch.plates", VO_COLLECTIONS="demo")
    assert "there is no table dasch.plates" in other.stderr


def test_adql_leaves_a_pass_out():
    query = "SELECT obs_id FROM ivoa.obscore WHERE 5 BETWEEN t_min AND t_max"
    assert "t_range" in run("adql", "--no-run", query).stdout
    assert "t_range" not in run("adql", "--no-run", "--without", "add_time_ranges", query).stdout
    unknown = run("adql", "--no-run", "--without", "add_time", query)
    is_one_friendly_line(unknown, "add_time;", "add_time_ranges", "use_cones")


def test_adql_reads_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT obs_id -- the plate\nFROM ivoa.obscore"))
    assert "obscore.obs_id" in run("adql", "--no-run", "-").stdout


def test_adql_needs_the_database_for_a_plan():
    is_one_friendly_line(run("adql", "--no-run", "--explain", "SELECT obs_id FROM ivoa.obscore"), "--no-run")


@pytest.mark.parametrize(
    ("query", "line", "caret"),
    [
        ("SELECT obs_id\n  FROM ivoa.obscor", "  FROM ivoa.obscor", 8),
        ("SELECT obs_id FROM ivoa.obscore WHERE", "SELECT obs_id FROM ivoa.obscore WHERE", 38),
        ("SELECT 'a\tb' FROM x", "SELECT 'a b' FROM x", 19),
    ],
)
def test_adql_points_at_what_is_wrong(query, line, caret):
    done = run("adql", "--no-run", "-q", query)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [line, " " * (caret - 1) + "^"]
    assert "Traceback" not in done.stderr


# -- ingest


def test_ingest_loads_each_source_and_tells_the_failed_one(data, tmp_path):
    header = (data / "demo" / "tpv" / "tpv.fits").resolve()
    (tmp_path / "empty.jsonl").write_text("")
    done = run("ingest", "samples", tmp_path / "empty.jsonl", header, "--data", data)
    assert done.returncode == 1
    assert "empty.jsonl" in done.stderr
    assert "Traceback" not in done.stderr
    assert re.search(r"exposures +│ +1 ", done.stdout), done.stdout
    again = run("ingest", "samples", header, "--data", data)
    assert again.returncode == 0, again.stderr
    assert "1 the same" in again.stdout
    assert " 1 new" not in again.stdout
    found = run(
        "adql", "SELECT obs_collection, count(*) AS n FROM ivoa.obscore GROUP BY obs_collection", "--data", data
    )
    assert "SAMPLES" in found.stdout
    assert "SYNTHETIC-DEMO" in found.stdout


def test_ingest_that_is_stopped_is_no_success_and_loads_nothing(data, monkeypatch):
    def stopped(*_, **__):
        signal.raise_signal(signal.SIGINT)
        return iter(())

    monkeypatch.setattr("vo.ingest.load.derive", stopped)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs start with SIGINT ignored
    try:
        done = run("ingest", "samples", data / "demo" / "pole" / "pole.fits", "--data", data)
    finally:
        signal.signal(signal.SIGINT, before)
    assert (done.returncode, done.stdout) == (130, "")
    assert "Stopped." in done.stderr
    found = run("adql", "SELECT count(*) AS n FROM samples.plates WHERE plate_id LIKE 'pole%'", "--data", data)
    assert re.search(r"│ 0 ", found.stdout)


def test_a_source_is_named_once(data, tmp_path):
    (tmp_path / "junk.ecsv").write_bytes(bytes(range(256)))
    done = run("ingest", "dasch", tmp_path / "junk.ecsv", "--data", data)
    assert done.returncode == 1
    assert done.stderr.count("junk.ecsv") == 1 + done.stderr.count("junk.ecsv: reading")
    assert "JSON" not in done.stderr


def test_init_publishes_and_is_repeatable(data):
    first, second = (run("init", "poss1", "--data", data) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert first.stdout == second.stdout
    assert "poss1: " in first.stdout
    found = run("adql", "SELECT count(*) AS n FROM poss1.plates", "--data", data)
    assert re.search(r"│ 0 ", found.stdout)
