"""`vo harvest`: what it shows, and how nonsense is answered."""

from __future__ import annotations

import re
from contextlib import contextmanager

import pytest
from registries import Registry, record, serving
from typer.testing import CliRunner

from vo.cli import app
from vo.errors import NotFoundFault, UsageFault

A, B = "ivo://observatory.example/a", "ivo://observatory.example/b"


@pytest.fixture(scope="module")
def database(fresh_database):
    return fresh_database()


@pytest.fixture
def vo(database, settings, monkeypatch):
    """Run `vo harvest ...` over this database."""

    @contextmanager
    def opened(_settings):
        yield database

    monkeypatch.setattr("vo.db.connect.open_database", opened)
    monkeypatch.setattr("vo.cli.shared.OUT.width", 200)
    monkeypatch.setattr("vo.cli.shared.ERR.width", 200)
    monkeypatch.setenv("VO_DATA_DIR", str(settings.data_dir))

    def run(*arguments, fails=None, private="true"):
        env = {"COLUMNS": "200", "VO_HARVEST_PRIVATE": private}
        done = CliRunner().invoke(app, ["harvest", *arguments], env=env)
        assert fails or done.exception is None, done.output
        if isinstance(fails, type):
            assert isinstance(done.exception, fails), done.output
        elif fails is not None:
            assert done.exit_code == fails
        return done

    return run


def rows(text):
    return [[cell.strip() for cell in re.split("[│┃]", line)[1:-1]] for line in text.splitlines() if line[:1] == "│"]


def test_from_nothing_to_records_and_back(vo):
    assert vo("--list").stdout.startswith("Nothing was harvested yet")
    with serving(Registry([record(A), record(B, title="")])) as registry:
        done = vo(registry.url)
        told = dict(rows(done.stdout))
        assert told["registry"] == "ivo://observatory.example/registry"
        assert (told["records read"], told["new"], told["refused"], told["no resource"]) == ("2", "1", "1", "1")
        assert told["asked for"] == "all records"
        assert re.search(r"^report: .*harvest-127_0_0_1.*\.csv$", done.stdout, flags=re.MULTILINE)
        assert dict(rows(vo(registry.url).stdout))["asked for"] == "changes since 2022-01-01 00:00:00"
        assert dict(rows(vo(registry.url, "--all", "--set", "").stdout))["set"] == "(all)"
        ((url, name, wanted, count, until, complete),) = rows(vo("--list").stdout)
        assert (url, name) == (registry.url, "ivo://observatory.example/registry")
        assert (wanted, count, until, complete) == ("(all)", "1", "2022-01-01 00:00:00", "yes")
        assert vo("--forget", registry.url).stdout == "1 record is removed.\n"
    assert vo("--list").stdout.startswith("Nothing was harvested yet")


def test_one_that_fails_does_not_stop_the_others(vo):
    with (
        serving(Registry(authority="dead.example", refuse=lambda _asked: (500, {}))) as dead,
        serving(Registry([record(A)])) as live,
    ):
        done = vo(dead.url, live.url, fails=1)
        assert f"{dead.url}?verb=Identify answers with status 500" in done.stderr
        assert dict(rows(done.stdout))["new"] == "1"
        vo("--forget", live.url)


def test_a_mangled_page_is_told(vo):
    def page(_number, page):
        return page.replace("Plates", "&", 1)

    with serving(Registry([record(A), record(B)], mangle=page)) as registry:
        done = vo(registry.url)
        assert "the next harvest asks for all of it again" in done.stdout
        ((*_, until, complete),) = rows(vo("--list").stdout)
        assert (until, complete) == ("never", "no")
        vo("--forget", registry.url)


def test_private_addresses_need_a_setting(vo):
    with serving(Registry([record(A)])) as registry:
        assert "VO_HARVEST_PRIVATE" in vo(registry.url, fails=1, private="false").stderr
        assert registry.asked == []


@pytest.mark.parametrize("arguments", [(), ("--list", "http://a.example"), ("--list", "--forget", "http://a.example")])
def test_one_thing_at_a_time(vo, arguments):
    vo(*arguments, fails=UsageFault)


def test_what_was_never_harvested_cannot_be_forgotten(vo):
    vo("--forget", "http://a.example/oai", fails=NotFoundFault)
