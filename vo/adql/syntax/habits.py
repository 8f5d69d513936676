"""What people write who know another SQL, and how ADQL says it."""

from __future__ import annotations

_NO_SUCH = "ADQL has no function for that"
_MOMENT = "a moment is written as text, such as '2026-01-31T12:00:00', or CAST('2026-01-31T12:00:00' AS TIMESTAMP)"
_CASE = "use CASE WHEN .. THEN .. ELSE .. END"
_ROWS = "ADQL limits rows by SELECT TOP n"
_TRUTH = "ADQL has no truth values; compare with 1 or 0"
_WINDOW = "ADQL has no window functions; join with a grouped sub-query"
_DOUBLE = "use DOUBLE PRECISION or REAL"
_VARCHAR = "use VARCHAR"
_CHANGE = "a query begins with SELECT or WITH; nothing can be changed here"
_PATTERN = "use LIKE or ILIKE, whose wildcards are % and _"
_SPHERE = "use DISTANCE, CONTAINS or INTERSECTS"

#: Words of other SQLs, as functions or elsewhere, and what to do instead.
ADVICE: dict[str, str] = {
    **dict.fromkeys(("LIMIT", "FETCH", "ROWNUM"), _ROWS),
    **dict.fromkeys(("TRUE", "FALSE"), _TRUTH),
    "UNKNOWN": "use IS NULL",
    **dict.fromkeys(("ISNULL", "NOTNULL"), "use IS NULL or IS NOT NULL"),
    **dict.fromkeys(
        ("NOW", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "GETDATE", "SYSDATE", "TODAY"), _MOMENT
    ),
    **dict.fromkeys(("DATE", "TIME", "TIMESTAMP", "TO_DATE", "TO_TIMESTAMP"), _MOMENT),
    "INTERVAL": "ADQL does not calculate with timestamps; ivo_to_mjd and ivo_to_jd make days of them",
    **dict.fromkeys(
        ("EXTRACT", "DATE_PART", "DATEDIFF", "YEAR", "MONTH", "DAY"), "ivo_to_mjd and ivo_to_jd make days of timestamps"
    ),
    "CONCAT": "join texts with ||",
    **dict.fromkeys(("IFNULL", "NVL", "ISNULL"), "use COALESCE"),
    **dict.fromkeys(("NULLIF", "IF", "IIF", "DECODE", "GREATEST", "LEAST"), _CASE),
    **dict.fromkeys(("LCASE",), "use LOWER"),
    **dict.fromkeys(("UCASE",), "use UPPER"),
    **dict.fromkeys(("CEIL",), "use CEILING"),
    **dict.fromkeys(("LN",), "use LOG, the natural logarithm; LOG10 has base 10"),
    **dict.fromkeys(("LOG2",), "use LOG(x) / LOG(2)"),
    **dict.fromkeys(("POW",), "use POWER"),
    **dict.fromkeys(("SQUARE",), "use POWER(x, 2)"),
    **dict.fromkeys(("TRUNC",), "use TRUNCATE"),
    **dict.fromkeys(("RANDOM",), "use RAND()"),
    **dict.fromkeys(("SIGN",), _CASE),
    **dict.fromkeys(
        ("STDDEV", "STDDEV_SAMP", "STDEV"), "use SQRT((SUM(x * x) - COUNT(x) * AVG(x) * AVG(x)) / (COUNT(x) - 1))"
    ),
    **dict.fromkeys(("MEDIAN", "VARIANCE", "CORR", "PERCENTILE_CONT"), "ADQL has AVG, COUNT, MAX, MIN and SUM"),
    **dict.fromkeys(("STRING_AGG", "GROUP_CONCAT", "LISTAGG", "ARRAY_AGG"), "use ivo_string_agg"),
    **dict.fromkeys(
        (
            "SUBSTRING",
            "SUBSTR",
            "TRIM",
            "LTRIM",
            "RTRIM",
            "POSITION",
            "CHAR_LENGTH",
            "CHARACTER_LENGTH",
            "OCTET_LENGTH",
        ),
        _NO_SUCH,
    ),
    **dict.fromkeys(("LENGTH", "LEN", "REPLACE", "TRANSLATE", "CONVERT", "ASCII", "CHR", "LPAD", "RPAD"), _NO_SUCH),
    **dict.fromkeys(("SIMILAR", "REGEXP", "RLIKE", "REGEXP_LIKE", "REGEXP_MATCH", "GLOB"), _PATTERN),
    "ESCAPE": "LIKE has no escape character; _ also fits itself",
    "COLLATE": "texts are always compared by their code points; UPPER and LOWER even out A to Z",
    **dict.fromkeys(("ANY", "SOME"), "use IN or EXISTS"),
    "DIV": "integers divide to integers",
    "XOR": "use AND, OR and NOT",
    **dict.fromkeys(("OVER", "PARTITION", "WINDOW", "QUALIFY"), _WINDOW),
    **dict.fromkeys(("RANK", "DENSE_RANK", "ROW_NUMBER", "NTILE", "LAG", "LEAD"), _WINDOW),
    "FILTER": "use SUM(CASE WHEN .. THEN 1 ELSE 0 END)",
    "NULLS": "nulls stand last in ascending and first in descending order",
    "RECURSIVE": "WITH cannot be recursive in ADQL",
    **dict.fromkeys(("LATERAL", "APPLY"), "a sub-query in FROM cannot use its neighbours"),
    **dict.fromkeys(("UNNEST", "GENERATE_SERIES", "VALUES"), "FROM takes tables, joins and sub-queries"),
    "MINUS": "use EXCEPT",
    **dict.fromkeys(("INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "TRUNCATE_TABLE", "GRANT"), _CHANGE),
    **dict.fromkeys(("INTO", "SET", "COPY", "EXECUTE", "EXEC", "CALL"), _CHANGE),
    **dict.fromkeys(
        ("EXPLAIN", "SHOW", "DESCRIBE", "USE", "PRAGMA"),
        "a query begins with SELECT or WITH; TAP_SCHEMA describes the tables",
    ),
    **dict.fromkeys(("INT", "MEDIUMINT", "TINYINT", "INT4"), "use INTEGER"),
    **dict.fromkeys(("INT2",), "use SMALLINT"),
    **dict.fromkeys(("INT8", "LONG"), "use BIGINT"),
    **dict.fromkeys(("FLOAT", "NUMERIC", "DECIMAL", "NUMBER", "FLOAT8"), _DOUBLE),
    **dict.fromkeys(("CHARACTER", "NCHAR", "TEXT", "STRING", "NATIONAL", "NVARCHAR", "CLOB"), _VARCHAR),
    **dict.fromkeys(("BOOLEAN", "BOOL", "BIT"), "use INTEGER, with 1 and 0"),
    "DATETIME": "use TIMESTAMP",
    **dict.fromkeys(("Q3C_RADIAL_QUERY", "Q3C_JOIN", "ST_CONTAINS", "ST_INTERSECTS"), _SPHERE),
    **dict.fromkeys(("Q3C_DIST", "ST_DISTANCE", "HAVERSINE"), "use DISTANCE"),
    "PIVOT": "use SUM(CASE WHEN .. THEN .. END) for each column",
}

#: Words that pass for an alias, so that only what follows them cannot stand where it stands.
# fmt: off
TAKEN_FOR_ALIAS = frozenset({
    "LIMIT", "MINUS", "RECURSIVE", "REGEXP", "RLIKE", "GLOB", "OVER", "FILTER", "LATERAL", "WINDOW",
    "QUALIFY", "UNNEST", "DIV", "XOR", "NULLS", "EXPLAIN", "SHOW", "USE", "ISNULL", "NOTNULL",
    "PRAGMA", "COPY", "CALL", "PIVOT", "TEXT", "STRING", "BOOLEAN", "BOOL", "DATETIME",
})
# fmt: on

#: Signs of other SQLs.
SIGNS: dict[str, str] = {
    "::": "write CAST(value AS type)",
    "==": "write = for equality",
    "=<": "write <=",
    "=>": "write >=",
    "&&": "write AND",
    "**": "write POWER(x, y)",
    "//": "write / between integers",
    "/*": "a comment begins with -- and ends with its line",
    "$$": "texts stand in single quotes",
    "&": "ADQL has no operators for bits",
    "|": "ADQL has no operators for bits; || joins texts, and conditions are joined by OR",
    "^": "write POWER(x, y)",
    "~": "use LIKE or ILIKE",
    "%": "write MOD(x, y); a pattern stands in single quotes",
    "!": "write NOT, or <> for what is not equal",
    "#": "a comment begins with --",
    "?": "write the value itself; there are no parameters",
    ":": "write the value itself; there are no parameters",
    "$": "write the value itself; there are no parameters",
    "@": "ADQL has no variables",
    "`": 'delimited names stand in double quotes "',
    "[": 'delimited names stand in double quotes "; ADQL has no arrays',
    "]": 'delimited names stand in double quotes "; ADQL has no arrays',
    "{": "write the value itself",
    "}": "write the value itself",
    "\\": "nothing needs a backslash; a quote in a text is written ''",
}


def advice(word: str) -> str | None:
    """What to write instead of a word of another SQL."""
    return ADVICE.get(word.upper())


def sign_at(text: str, at: int) -> tuple[int, str, str] | None:
    """A sign of another SQL that begins here or one character before: its offset, the sign, and what to write."""
    for start, sizes in ((at - 1, (2,)), (at, (2, 1))):
        for size in sizes:
            sign = text[max(start, 0) : start + size] if start >= 0 else ""
            if sign in SIGNS and len(sign) == size:
                return start, sign, SIGNS[sign]
    return None
