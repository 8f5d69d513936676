"""Vocabularies of files: datalink/core where pyVO looks for it, so that it need not be fetched; words of others."""

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


#: Vocabularies by the names that tests call them, and their files.
_FILES = {
    "uat": "uat-fragments.txt",
    "messenger": "messenger.csv",
    "content_type": "voresource-content_type.csv",
    "date_role": "voresource-date_role.csv",
    "relationship_type": "voresource-relationship_type.csv",
}


def read_words(name: str) -> frozenset[str]:
    """The terms of a vocabulary that may be used: without those that are deprecated."""
    lines = realdata.path(f"../vocabularies/{_FILES[name]}").read_text(encoding="utf-8").splitlines()
    kept = (line for line in lines if line.strip() and not line.startswith("#") and "ivoasem:deprecated" not in line)
    return frozenset(line.partition(";")[0].strip() for line in kept)


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
