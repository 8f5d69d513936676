"""ADQL to PostgreSQL: parse, resolve, rewrite, render. No I/O here."""
