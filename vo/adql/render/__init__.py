"""From plan to SQL for PostgreSQL with pgSphere."""
