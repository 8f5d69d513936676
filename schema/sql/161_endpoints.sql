-- The registries that `vo harvest` reads. Not published.
CREATE TABLE IF NOT EXISTS registry.endpoint (
    url text PRIMARY KEY,                -- the source of its records in registry.record
    registry text NOT NULL,              -- IVOID of its registry's record in lower case; '' when it does not tell
    name text NOT NULL,
    wanted_set text NOT NULL,            -- '': all sets
    harvested timestamp,                 -- by its own clock, UTC: what changed from then on is asked for next; null: all
    is_complete boolean NOT NULL,        -- whether the last harvest came to its end and read every page whole
    managed text[] NOT NULL              -- authorities that its registry manages, in lower case, without ivo://
);
