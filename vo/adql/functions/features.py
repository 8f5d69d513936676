"""What this ADQL offers beyond its core, for TAP's capabilities (TAPRegExt 1.0, section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

from vo.adql.functions.function import Group
from vo.adql.functions.table import ALL_FUNCTIONS


@dataclass(frozen=True, slots=True)
class Feature:
    """One optional feature as a capability lists it: the bare word, or a UDF's signature and what it does."""

    form: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class FeatureGroup:
    """The features of one TAPRegExt key."""

    key: str
    features: tuple[Feature, ...]


#: What is said of words that no standard describes.
_ABOUT = {
    "CASE": "CASE WHEN condition THEN value ... [ELSE value] END and CASE value WHEN value THEN value ... [ELSE value]"
    " END, as in SQL: the first value whose condition holds, null when none does and there is no ELSE.",
    "MOC": "MOC('4/30-33 38') and MOC(order, shape) make coverages of HEALPix cells; CONTAINS, INTERSECTS and AREA"
    " take them, too.",
    "TABLESAMPLE": "Written behind a table in FROM, TABLESAMPLE(10) reads about 10 percent of it, block by block: good"
    " for trying a query out, and far better than TOP. The rows differ from time to time.",
}


def _features() -> tuple[FeatureGroup, ...]:
    words = {
        Group.STRING: ("ILIKE",),
        Group.COMMON_TABLE: ("WITH",),
        Group.SETS: ("UNION", "EXCEPT", "INTERSECT"),
        Group.TYPE: ("CAST",),
        Group.OFFSET: ("OFFSET",),
        Group.EXTRA: ("CASE", "TABLESAMPLE"),
    }
    groups = []
    for group in Group:
        if group is Group.BASE:
            continue
        own = [function for function in ALL_FUNCTIONS if function.group is group]
        if group is Group.UDF:
            features = [Feature(function.signature, function.description) for function in own]
        else:
            names = dict.fromkeys(function.name for function in own)
            features = [Feature(word, _ABOUT.get(word)) for word in (*names, *words.get(group, ()))]
        groups.append(FeatureGroup(group.value, tuple(features)))
    return tuple(groups)


#: What ADQL offers here beyond its core, for TAP's capabilities (TAPRegExt 1.0, section 2.3; TRE-03 to TRE-05).
FEATURES: tuple[FeatureGroup, ...] = _features()
