"""PostgreSQL: the private cluster, connections, schema, loading and streaming."""
