"""The vocabulary datalink/core where pyVO looks for it, so that it need not be fetched from ivoa.net."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import realdata
from astropy.config.paths import set_temp_cache
from astropy.utils.data import import_file_to_cache
from pyvo.utils import vocabularies


def read_terms() -> dict[str, dict[str, object]]:
    """The terms in the form that pyVO reads (desise); children stand behind their parents in the file."""
    terms: dict[str, dict[str, object]] = {}
    parent = ""
    path = realdata.path("../vocabularies/datalink-core.csv")
    with path.open(encoding="utf-8") as lines:
        for row in csv.reader(lines, delimiter=";"):
            if not row or row[0].startswith("#"):
                continue
            name, level, label, description = (word.strip() for word in row[:4])
            terms[name] = {"label": label, "description": description, "wider": [], "narrower": []}
            if level == "1":
                parent = name
            else:
                terms[name]["wider"] = [parent]
                terms[parent]["narrower"].append(name)
    return terms


@contextmanager
def at_hand(folder: Path) -> Iterator[None]:
    """Let pyVO find the vocabulary in astropy's cache, which is in ``folder`` for the time being."""
    document = folder / "core.json"
    document.write_text(json.dumps({"uri": "http://www.ivoa.net/rdf/datalink/core", "terms": read_terms()}))
    vocabularies.get_vocabulary.cache_clear()
    with set_temp_cache(folder):
        import_file_to_cache(vocabularies.IVOA_VOCABULARY_ROOT + "datalink/core", document)
        yield
    vocabularies.get_vocabulary.cache_clear()
