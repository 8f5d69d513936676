"""What of a source looks wrong: units, frames and years taken for others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vo.errors import OperatorFault
from vo.ingest.doubts import as_date, find_doubts, find_rule
from vo.ingest.report import Report
from vo.ingest.trial import Seen, Trial, try_source
from vo.metadata.collection import load_collection

DESCRIPTOR = """
name = "own"
title = "Own plates"
description = "Plates of ours."
creators = ["We"]
readers = ["headers"]
[footprint]
width_mm = 100
plate_scale = 100
[defaults]
em_min = 3.5e-7
em_max = 5e-7
"""


@pytest.fixture
def trial(settings, tmp_path):
    def trial(count: int = 30, descriptor: str = DESCRIPTOR, **cards: object):
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / "collection.toml").write_text(descriptor)
        own = settings.model_copy(update={"resources_dir": tmp_path})
        lines = []
        for number in range(count):
            header = {"PLATEID": f"p{number}", "RA": 12.0 * number, "DEC": 2.0 * number, "EXPTIME": 600}
            header |= {"NAXIS1": 9, "NAXIS2": 9, "DATE-OBS": f"1931-02-{number % 28 + 1:02d}T01:00:00"}
            header |= {name.replace("_", "-"): value for name, value in cards.items()}
            lines.append(json.dumps({"file": f"p{number}.fits", "header": header}))
        (tmp_path / "headers.jsonl").write_text("\n".join(lines))
        return try_source(own, load_collection(own, "own"), tmp_path / "headers.jsonl")

    return trial


def test_what_would_become_of_a_source(trial):
    found = trial()
    assert (found.reader, found.plates, found.exposures) == ("headers", 30, 30)
    assert (found.report.read, found.report.used) == (30, 30)
    assert (found.seen["s_ra"].count, found.seen["t_exptime"].least) == (30, 600.0)
    assert (found.seen["facility_name"].count, found.seen["facility_name"].least) == (0, None)
    assert find_doubts(found) == ()


@pytest.mark.parametrize(
    ("cards", "column", "advice"),
    [
        ({"RA": 23.5}, "s_ra", "are they hours?"),
        ({"DEC": 1.5}, "s_dec", "are they radians?"),
        ({"EXPTIME": 1.5}, "t_exptime", "are exposure times in minutes?"),
        ({"PLTSCALE": 1.0}, "plate_scale", "check the unit"),
    ],
)
def test_what_looks_wrong(trial, cards, column, advice):
    doubts = find_doubts(trial(**cards))
    assert column in [one.column for one in doubts], doubts
    assert any(one.advice.startswith(advice) for one in doubts)


@pytest.mark.parametrize(
    ("mjd", "said"),
    [
        (3000.0, []),
        (-3000.0, []),
        (-4000.0, ["t_min: the first exposure is of 1847"]),
        (90000.0, ["t_max: the last exposure is of 2105, which is yet to come"]),
    ],
)
def test_years_that_cannot_be(mjd, said):
    found = Trial(Path("list.csv"), "table", Report("list.csv"), exposures=1)
    for name in ("s_ra", "s_fov", "em_min"):
        found.seen.setdefault(name, Seen()).add(1e-7)
    for name in ("t_min", "t_max"):
        found.seen.setdefault(name, Seen()).add(mjd)
    assert [f"{one.column}: {one.text}" for one in find_doubts(found)] == said


def test_what_is_missing(trial):
    bare = DESCRIPTOR.partition("[footprint]")[0]
    doubts = find_doubts(trial(descriptor=bare, DATE_OBS=""))
    assert [one.column for one in doubts] == ["s_region", "t_min", "em_min"]
    assert "s_ra, s_dec" in [one.column for one in find_doubts(trial(RA="", DEC=""))]


def test_a_doubt_about_a_list_names_the_rule_in_its_mapping(settings, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "collection.toml").write_text(DESCRIPTOR.replace('["headers"]', '["table"]'))
    (folder / "mapping.toml").write_text(
        '[source]\nformat = "csv"\n[plate]\nplate_id = "p"\n[exposure]\nexptime = { column = "e", unit = "s" }\n'
    )
    (tmp_path / "list.csv").write_text("p,e\n" + "".join(f"p{number},1\n" for number in range(30)))
    own = settings.model_copy(update={"resources_dir": tmp_path})
    collection = load_collection(own, "own")
    doubts = {one.column: one for one in find_doubts(try_source(own, collection, tmp_path / "list.csv"))}
    rule = find_rule(doubts["t_exptime"], collection)
    assert (rule.file.name, rule.line, rule.key) == ("mapping.toml", 6, "exposure.exptime")
    assert find_rule(doubts["t_min"], collection) is None


def test_plates_that_differ_in_letter_case_are_refused(trial, settings, tmp_path):
    found = trial(count=2)
    text = (tmp_path / "headers.jsonl").read_text().replace('"p1"', '"P0"')
    (tmp_path / "headers.jsonl").write_text(text)
    own = settings.model_copy(update={"resources_dir": tmp_path})
    with pytest.raises(OperatorFault, match="letter case"):
        try_source(own, load_collection(own, "own"), found.source)


def test_dates_of_days():
    assert (as_date(30028.08), as_date(0.0), as_date(1e12)) == ("1941-02-03", "1858-11-17", "")
