"""Tables that people send with a query: UPLOAD read, fetched, and made fit for the database (TAP 1.1, section 2.5)."""
