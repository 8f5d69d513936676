"""`vo publish`: what it tells of records and of what they lack; what `vo serve` says when there are none."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from typer.testing import CliRunner

from vo.cli import app
from vo.cli.serving import _tell_of_records
from vo.db.registry import read_records
from vo.errors import OperatorFault

BASE = "https://plates.example/vo"


@pytest.fixture
def database(fresh_database):
    return fresh_database()


@pytest.fixture
def vo(database, monkeypatch):
    """Run `vo publish ...` over this database."""

    @contextmanager
    def opened(_settings):
        yield database

    monkeypatch.setattr("vo.db.connect.open_database", opened)
    for console in ("OUT", "ERR"):
        monkeypatch.setattr(f"vo.cli.shared.{console}.width", 200)

    def run(*arguments, fails=False, **settings):
        given = {f"VO_{name.upper()}": value for name, value in settings.items()}
        done = CliRunner().invoke(app, ["publish", *arguments], env={"COLUMNS": "200", **given})
        assert (done.exception is not None) == fails, done.output
        return done

    return run


def test_it_tells_what_was_done_and_what_is_missing(vo, database):
    first = vo(base_url=BASE).output
    assert "ivo://vo-plates.example/dasch" in first
    assert first.count("│ new ") == len(names(database))
    assert "What would make them better" in first
    for text in ("VO_AUTHORITY", "VO_CONTACT", "dasch/collection.toml: doi", "no creator has an ORCID iD"):
        assert text in first
    assert "VO_BASE_URL is not set" not in first
    again = vo(base_url=BASE).output
    assert "│ new " not in again
    assert again.count("unchanged") == first.count("│ new ")


def test_rr_is_made_anew_when_asked_to(vo, database):
    def count():
        with database.read() as connection:
            return connection.execute("SELECT count(*) FROM rr.res_subject").fetchone()[0]

    vo(base_url=BASE)
    all_of_them = count()
    assert all_of_them
    for asked, expected in ((), 0), (("--dry-run", "--refill"), 0), (("--refill",), all_of_them):
        with database.owner() as connection:
            connection.execute("DELETE FROM rr.res_subject")
        vo(*asked, base_url=BASE)
        assert count() == expected


def names(database):
    with database.read() as connection:
        return {one.identifier for one in read_records(connection)}


def test_without_an_address_it_says_who_reaches_this(vo, database):
    assert "which only this machine reaches" in vo().output
    with database.read() as connection:
        (tap,) = (one.document for one in read_records(connection) if one.identifier.endswith("/tap"))
    assert "http://127.0.0.1:8080/tap<" in tap


def test_an_address_that_nobody_knows_is_not_published(vo, database):
    done = vo(port="0", fails=True)
    assert isinstance(done.exception, OperatorFault)
    assert "set VO_BASE_URL" in done.exception.text
    assert names(database) == set()


def test_a_dry_run_says_so_and_stores_nothing(vo, database):
    assert "as they would be" in vo("--dry-run", base_url=BASE).output
    assert names(database) == set()


def test_collections_can_be_named(vo, database):
    vo(base_url=BASE)
    assert "poss1" in vo("poss1", base_url=BASE).output
    done = vo("nothing", base_url=BASE, fails=True)
    assert isinstance(done.exception, OperatorFault)
    assert "nothing: not ingested here (collections here: dasch, demo" in done.exception.text


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("publisher", " ", "VO_PUBLISHER"),
        ("authority", "x", "VO_AUTHORITY: Value error, a naming authority is three or more lower-case letters"),
        ("authority", "Skyview.example", "VO_AUTHORITY"),
        ("authority", "ivo://skyview.example", "VO_AUTHORITY"),
        ("publisher_ivoid", "skyview", "VO_PUBLISHER_IVOID: Value error, write the identifier of a registry record"),
        ("publisher_url", "skyview.example", "VO_PUBLISHER_URL: Value error, write an address of the web"),
        ("base_url", "skyview.example", "VO_BASE_URL: Value error, write an address of the web"),
    ],
)
def test_settings_that_records_are_made_of_are_checked_vor_03(vo, setting, value, said):
    done = vo(**{setting: value}, fails=True)
    assert isinstance(done.exception, OperatorFault)
    assert said in done.exception.text


def test_a_server_without_records_says_so(vo, database, settings, capsys):
    _tell_of_records(settings, database, BASE)
    assert "No registry records are published: run `vo publish`" in capsys.readouterr().err
    vo(base_url=BASE + "/")
    _tell_of_records(settings, database, BASE)
    assert capsys.readouterr().err == ""
    _tell_of_records(settings, database, "http://127.0.0.1:8080")
    told = " ".join(capsys.readouterr().err.split())
    assert f"say that this server is at {BASE}, not at http://127.0.0.1:8080" in told
