"""Every function that a query may call, as data: what it takes and gives, its SQL, and what it is for.

The same table serves the resolver's checks, the capabilities (:data:`FEATURES`) and the documentation. To add a
function, add an entry (docs/adql-internals.md shows how); nothing else needs to know of it.
"""

from vo.adql.functions.features import FEATURES, Feature, FeatureGroup
from vo.adql.functions.function import Function, Group, Parameter, Result
from vo.adql.functions.table import ALL_FUNCTIONS, FUNCTIONS

__all__ = [
    "ALL_FUNCTIONS",
    "FEATURES",
    "FUNCTIONS",
    "Feature",
    "FeatureGroup",
    "Function",
    "Group",
    "Parameter",
    "Result",
]
