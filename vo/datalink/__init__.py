"""DataLink 1.1."""
