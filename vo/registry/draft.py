"""A collection's registry records before anything of it is loaded: whether its description makes valid ones."""

from __future__ import annotations

from vo.metadata.collection import Collection
from vo.metadata.fields import Catalogue
from vo.registry.check import Missing, check_documents, find_missing_words
from vo.registry.coverage import Coverage
from vo.registry.facts import CollectionFacts, Facts
from vo.registry.records import Server, Services, make_records
from vo.settings import Settings

#: Where the server would be, when no setting says it.
_SOMEWHERE = "http://localhost"


def try_records(
    settings: Settings, collection: Collection, catalogue: Catalogue, services: Services
) -> tuple[Missing, ...]:
    """Make the records as they would be without data, check them as ``vo publish`` does, and tell what words lack.

    :class:`vo.errors.OperatorFault` when a record would not be valid.
    """
    nothing = CollectionFacts(collection, Coverage(), (), (), 0, None, None)
    facts = Facts((nothing,), Coverage(), dict.fromkeys((table.qualified for table in catalogue.tables), 0))
    base_url = (settings.base_url or _SOMEWHERE).rstrip("/")
    check_documents(settings, make_records(Server(settings, catalogue, services, base_url, facts)))
    return find_missing_words(settings, collection)
