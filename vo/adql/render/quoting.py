"""Names and literals as PostgreSQL reads them; nothing of a query reaches SQL by another way."""

from __future__ import annotations

import functools
import re

# fmt: off
#: PostgreSQL's words that are no names unless quoted (15, appendix C; a test compares with pg_get_keywords()).
POSTGRES_WORDS = frozenset({
    "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "authorization", "binary", "both",
    "case", "cast", "check", "collate", "collation", "column", "concurrently", "constraint", "create", "cross",
    "current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp",
    "current_user", "default", "deferrable", "desc", "distinct", "do", "else", "end", "except", "false", "fetch",
    "for", "foreign", "freeze", "from", "full", "grant", "group", "having", "ilike", "in", "initially", "inner",
    "intersect", "into", "is", "isnull", "join", "lateral", "leading", "left", "like", "limit", "localtime",
    "localtimestamp", "natural", "not", "notnull", "null", "offset", "on", "only", "or", "order", "outer",
    "overlaps", "placing", "primary", "references", "returning", "right", "select", "session_user", "similar",
    "some", "symmetric", "system_user", "table", "tablesample", "then", "to", "trailing", "true", "union", "unique",
    "user", "using", "variadic", "verbose", "when", "where", "window", "with",
})
# fmt: on

_SIMPLE = re.compile(r"[a-z_][a-z0-9_]*")


@functools.lru_cache(maxsize=4096)
def identifier(name: str) -> str:
    """The name, in double quotes where it needs them."""
    if _SIMPLE.fullmatch(name) and name not in POSTGRES_WORDS:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    r"""The text as literal; with backslashes as E'', whatever standard_conforming_strings says."""
    quoted = text.replace("'", "''")
    if "\\" in quoted:
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"
