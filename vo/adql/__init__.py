"""ADQL 2.1 to PostgreSQL with pgSphere: parse, resolve, rewrite, render. No input, no output, no database."""

from vo.adql.compile import Compiled, Translator, compile_query
from vo.adql.syntax.lexer import Limits

__all__ = ["Compiled", "Limits", "Translator", "compile_query"]
