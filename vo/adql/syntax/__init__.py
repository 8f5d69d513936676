"""From text to tree: grammar, lexer, parser, and what is said when a query cannot be read."""
