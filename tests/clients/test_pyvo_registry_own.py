"""pyVO finds what the server itself publishes: its records, with the coverage that is computed from its data."""

from __future__ import annotations

import pytest
from astropy import units as u
from pyvo import registry

#: All of the records of the tests' server that a place, a time or a wavelength is said of.
COVERED = {"obscore", "sia2", "demo"}


@pytest.fixture(scope="module", autouse=True)
def service(registered):
    before = registry.get_RegTAP_service_url()
    registry.choose_RegTAP_service(f"{registered.url}/tap")
    yield registered
    registry.choose_RegTAP_service(before)


def found(*constraints, **words) -> set[str]:
    names = [one.ivoid.rpartition("/")[2] for one in registry.search(*constraints, **words)]
    assert len(names) == len(set(names))
    return set(names)


def test_by_place_time_and_wavelength():
    place, time, blue = (
        registry.Spatial((83.82, -5.39, 0.5)),
        registry.Temporal(25_000.0),
        registry.Spectral(440 * u.nm),
    )
    assert found(place) == found(time) == found(blue) == found(place, time, blue) == COVERED
    assert found(registry.Temporal(1000.0)) == set()
    assert found(registry.Spectral(21 * u.cm)) == set()
    assert found(registry.Spatial((83.82, -5.39, 0.5)), registry.Temporal(1000.0)) == set()


def test_inclusive_finds_what_says_nothing_of_it_as_well():
    unsaid = found(registry.Temporal(1000.0, inclusive=True))
    assert {"tap", "registry", "organisation", "dasch"} <= unsaid
    assert not unsaid & COVERED
    assert found(registry.Temporal(25_000.0, inclusive=True)) == unsaid | COVERED


def test_services_and_data_models():
    assert found(servicetype="tap") == {"tap"}
    assert found(servicetype="sia2") == {"sia2"}
    assert found(servicetype="sia2", includeaux=True) == {"sia2", "demo"}
    assert found(datamodel="obscore_new") == {"obscore"}
    assert found(datamodel="obscore") == set()  # else pyVO's global discovery breaks off
    assert found(datamodel="regtap") == set()  # it is no registry of everything


# RegTAP wants types in lower case, and pyVO does not know unicodechar then
@pytest.mark.filterwarnings("ignore:.*W02. 'unicodechar'")
def test_records_lead_to_services_that_answer():
    (record,) = registry.search(ivoid="ivo://vo-plates.example/demo")
    tables = record.get_tables()
    assert "demo.plates" in tables
    assert {"s_region", "t_min"} <= {column.name for column in tables["demo.plates"].columns}
    tap = record.get_service(service_type="tap", lax=True)
    assert len(tap.search("SELECT TOP 3 plate_id FROM demo.plates")) == 3
    images = registry.search(servicetype="sia2")[0].get_service(service_type="sia2")
    assert len(images.search(pos=(83.82, -5.39, 0.5), maxrec=2)) > 0
