"""Where a collection's data come from, in the words of Data Origin 1.2 (section "Dataset origin"; DALI-12)."""

from __future__ import annotations

from vo.metadata.collection import Collection
from vo.metadata.ivoids import collection_id, service_id
from vo.settings import Settings


def dataset_origin(collection: Collection, settings: Settings) -> tuple[tuple[str, str], ...]:
    """INFO elements (name, value) that say of an answer whose data these are; what is not known is left out.

    ``citation`` is what to cite for the data: their DOI, else the paper, else their name and makers; ``article`` is the
    paper.
    """
    made = collection.creator_names
    doi = None if collection.doi is None else f"doi:{collection.doi}"
    single = (
        ("data_ivoid", collection_id(settings, collection)),
        ("citation", doi or collection.bib_reference or f"{collection.title}, {made}"),
        ("article", collection.bib_reference),
        ("creator", made),
        ("reference_url", collection.reference_url),
        ("resource_version", collection.resource_version),
        ("rights", collection.rights),
        ("rights_uri", collection.rights_uri),
        ("original_date", collection.original_date and collection.original_date.isoformat()),
        ("publication_date", collection.publication_date and collection.publication_date.isoformat()),
    )
    several = (("is_derived_from", name) for name in collection.is_derived_from)
    return tuple((name, value) for name, value in (*single, *several) if value)


def registry_origin(settings: Settings) -> tuple[tuple[str, str], ...]:
    """What is said of an answer that tells of resources or tables: they are the registry's, and nobody's plates."""
    return (
        ("data_ivoid", service_id(settings, "registry")),
        ("citation", f"Registry records of {settings.publisher}"),
        ("creator", settings.publisher),
    )
