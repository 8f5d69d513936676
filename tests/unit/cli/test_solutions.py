"""`vo solutions`: what it shows of versions, what choosing one says, and how nonsense is answered."""

import re
from contextlib import contextmanager

import packages
import pytest
from typer.testing import CliRunner

from vo.cli import app
from vo.errors import OperatorFault
from vo.ingest.load import ingest

FIRST = packages.Package(
    "md01361",
    exposures=(packages.exposure(1), packages.exposure(0)),
    extra=(("IMWCS", "WCSTools 3.8"), ("DATE", "2019-11-01T00:00:00")),
)


@pytest.fixture(scope="module")
def database(fresh_database, settings, tmp_path_factory):
    """A plate with two solutions in two versions each, and one with a single version."""
    own, folder = fresh_database(), tmp_path_factory.mktemp("packages")
    lone = packages.Package("md01362", solutions=(packages.Tpv(1.0, 2.0),), exposures=(packages.exposure(0),))
    for package in (FIRST, FIRST.better(), lone):
        ingest(own, settings, "dasch", package.write(folder))
    return own


@pytest.fixture
def vo(database, settings, monkeypatch):
    """Run `vo solutions ...` over this database."""

    @contextmanager
    def opened(_settings):
        yield database

    monkeypatch.setattr("vo.db.connect.open_database", opened)
    monkeypatch.setattr("vo.cli.shared.OUT.width", 200)

    def run(*arguments, fails=False):
        done = CliRunner().invoke(app, ["solutions", *map(str, arguments)], env={"COLUMNS": "200"})
        assert (done.exception is not None) == fails, done.output
        return done

    return run


def rows(text):
    """The cells of a table's rows."""
    return [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in text.splitlines() if line[:1] == "│"]


def test_versions_of_a_plate(vo):
    listed = rows(vo("list", "dasch", "md01361").stdout)
    assert [row[:5] for row in listed] == [
        ["00", "s0", "1", "", "e1"],
        ["00", "s0", "2", "yes", "e1"],
        ["00", "s1", "1", "", "e0"],
        ["00", "s1", "2", "yes", "e0"],
    ]
    assert listed[0][5:8] == ["2019-11-01", "WCSTools 3.8", FIRST.result]


def test_what_has_several_versions(vo):
    text = vo("list", "dasch").stdout
    assert text.startswith("dasch: 3 solutions of 2 plates, in 5 versions")
    assert rows(text) == [["md01361", "00", "s0", "2", "2"], ["md01361", "00", "s1", "2", "2"]]


def test_compare_tells_shift_rotation_and_scale(vo):
    (row,) = rows(vo("compare", "dasch", "md01361", "--solution", "s0").stdout)
    assert row[:3] == ["00", "s0", "1 to 2"]
    assert float(row[3]) == pytest.approx(20.0, abs=0.1)  # the middle was moved by 20 arcsec
    assert len(row[4].split()) == 4
    assert float(row[7]) == pytest.approx(0.05, abs=1e-4)
    assert float(row[8]) == pytest.approx(1.0, abs=1e-5)
    (back,) = rows(vo("compare", "dasch", "md01361", "--solution", "s0", "--versions", 2, 1).stdout)
    assert back[2] == "2 to 1"
    assert float(back[7]) == pytest.approx(-0.05, abs=1e-4)
    assert len(rows(vo("compare", "dasch", "md01361").stdout)) == 2


def test_use_and_back(vo, database):
    text = vo("use", "dasch", "md01361", "s0", 1).stdout
    assert "version 1 is in use instead of version 2." in text
    assert "3 published rows are changed." in text
    assert [row[2] for row in rows(text)] == ["2 to 1"]
    assert [row[3] for row in rows(vo("list", "dasch", "md01361").stdout)] == ["yes", "", "", "yes"]
    assert "version 1 is in use already." in vo("use", "dasch", "md01361", "s0", 1).stdout
    assert "version 2 is in use instead of version 1." in vo("use", "dasch", "md01361", "s0", 2).stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("list", "dasch", "md09999"), "no plate 'md09999'"),
        (("list", "nowhere"), "no collection 'nowhere'"),
        (("compare", "dasch", "md01362"), "no solution of plate md01362 has two versions"),
        (("compare", "dasch", "md01361", "--versions", "1", "7"), "has the versions 1 and 7"),
        (("compare", "dasch", "md01361", "--scan", "07"), "no solution on scan '07'"),
        (("use", "dasch", "md01361", "s0", "9"), "has no version 9; it has 1, 2"),
        (("use", "dasch", "md01361", "s5", "1"), "no solution 's5'"),
    ],
)
def test_nonsense_is_told(vo, arguments, told):
    done = vo(*arguments, fails=True)
    assert isinstance(done.exception, OperatorFault)
    assert told in done.exception.text


@pytest.mark.parametrize("version", [0, "new"])
def test_a_version_is_a_number(vo, version):
    done = vo("use", "dasch", "md01361", "s0", version, fails=True)
    assert done.exit_code == 2
    assert "Usage: vo solutions use" in done.output


@pytest.mark.parametrize("command", ["list", "compare", "use"])
def test_every_command_has_an_example(vo, command):
    assert f"Example: vo solutions {command} dasch" in vo(command, "--help").output
