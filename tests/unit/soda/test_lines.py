"""What a job is to cut: combinations in their order, tables of every kind, and what is wrong with them."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.table import QTable

from vo.dali.intervals import Interval
from vo.dali.parameters import Parameters, Part
from vo.dali.shapes import Circle
from vo.errors import LimitFault, UsageFault
from vo.soda.lines import read_lines

TEXT = "id,ra,dec,radius\na,10,20,0.5\nb,11,21,0.25\n"


def lines(settings, *pairs, table=None, media_type="text/csv", **limits):
    parts = []
    if table is not None:
        content = table.encode() if isinstance(table, str) else table
        parts = [Part("p", "", media_type, io.BytesIO(content))]
        pairs = (*pairs, ("UPLOAD", "t,param:p"))
    return read_lines(Parameters(pairs, parts), settings.model_copy(update=limits))


def test_every_combination_of_ids_shapes_and_intervals(settings):
    pairs = [
        *(("ID", did) for did in "ab"),
        ("CIRCLE", "1 2 3"),
        ("POS", "RANGE 1 2 3 4"),
        *(("BAND", band) for band in ("3e-7 4e-7", "5e-7")),
        ("POL", "I"),
        ("POL", "Q"),
    ]
    found = lines(settings, *pairs)
    assert [(one.number, one.did, one.text, one.filters.band.low) for one in found[:5]] == [
        (1, "a", "POS=RANGE 1 2 3 4", 3e-7),
        (2, "a", "POS=RANGE 1 2 3 4", 5e-7),
        (3, "a", "CIRCLE=1 2 3", 3e-7),
        (4, "a", "CIRCLE=1 2 3", 5e-7),
        (5, "b", "POS=RANGE 1 2 3 4", 3e-7),
    ]
    assert len(found) == 8
    assert {one.filters.polarisation for one in found} == {("I", "Q")}  # any of them
    assert [one.name for one in found[:2]] == ["cutout-00001", "cutout-00002"]


def test_rows_are_circles(settings):
    found = lines(settings, ("TIME", "1 2"), table=TEXT)
    assert [(one.did, one.shape.shape) for one in found] == [("a", Circle(10, 20, 0.5)), ("b", Circle(11, 21, 0.25))]
    assert found[0].filters.time == Interval(1, 2)
    assert found[1].text == "row 2: CIRCLE 11.0 21.0 0.25" or found[1].text == "row 2: CIRCLE 11 21 0.25"


@pytest.mark.parametrize("form", ["votable", "fits", "parquet"])
def test_tables_of_other_forms_with_units_and_obscores_names(settings, form):
    file = io.BytesIO()
    if form == "parquet":
        plain = {"obs_publisher_did": ["a"], "s_ra": [10.0], "s_dec": [20.0], "radius": [0.5]}
        pq.write_table(pa.table(plain), file)
    else:
        places = {"s_ra": [10.0] * u.deg, "s_dec": [20.0] * u.deg, "radius": [30] * u.arcmin}
        QTable({"obs_publisher_did": ["a"], **places}).write(file, format=form)
    (found,) = lines(settings, table=file.getvalue(), media_type=None)
    assert (found.did, found.shape.shape) == ("a", Circle(10, 20, 0.5))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("a,,20,1", "numbers"),
        ("a,10,20,", "numbers"),
        ("a,370,20,1", "between"),
        ("a,10,91,1", "between"),
        ("a,10,20,-1", "between"),
        (",10,20,1", "id is empty"),
    ],
)
def test_a_bad_row_is_told_by_its_line_and_stops_no_other(settings, row, problem):
    found = lines(settings, table=f"id,ra,dec,radius\n{row}\nb,1,2,3\nc,1.5,2.5,3.5\n")
    assert problem in found[0].problem
    assert [one.problem for one in found[1:]] == [None, None]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("id,ra,dec\na,1,2\n", "column radius is missing"),
        ("ra,dec,radius\n1,2,3\n", "column id is missing"),
        ("id,ra,dec,radius\na,x,2,3\n", "column ra holds no numbers"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_whole(settings, table, said):
    with pytest.raises(UsageFault, match=said):
        lines(settings, table=table)


def test_units_that_are_no_angles_are_refused(settings):
    table = QTable({"id": ["a"], "ra": [10.0] * u.deg, "dec": [20.0] * u.deg, "radius": [30] * u.m})
    file = io.BytesIO()
    table.write(file, format="votable")
    with pytest.raises(UsageFault, match="radius is in m"):
        lines(settings, table=file.getvalue(), media_type=None)


def test_ids_may_come_from_one_side_only(settings):
    with pytest.raises(UsageFault, match="leave one of them out"):
        lines(settings, ("ID", "z"), table=TEXT)
    found = lines(settings, ("ID", "y"), ("ID", "z"), table="ra,dec,radius\n1,2,3\n")
    assert [one.did for one in found] == ["y", "z"]


def test_more_lines_than_a_job_may_have(settings):
    assert len(lines(settings, table=TEXT, cutout_lines=2)) == 2
    with pytest.raises(LimitFault, match=r"more than 1 cutouts.*\(cutout_lines\)"):
        lines(settings, table=TEXT, cutout_lines=1)


def test_the_vertices_of_a_polygon_are_limited(settings):
    polygon = [("ID", "a"), ("POLYGON", "10 20 11 20 11 21 10 21")]
    assert len(lines(settings, *polygon, cutout_vertices=4)) == 1
    with pytest.raises(LimitFault, match="cutout_vertices"):
        lines(settings, *polygon, cutout_vertices=3)
