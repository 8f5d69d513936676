-- Jobs (UWS 1.1): who asked for what, and what became of it. Only vo_jobs sees them (900_grants.sql): whoever knows a job's
-- id may use the job.
CREATE SCHEMA IF NOT EXISTS uws;

-- Workers have a number each; a worker lives as long as a session of it holds the advisory lock of that number.
CREATE SEQUENCE IF NOT EXISTS uws.worker AS integer CYCLE;

CREATE TABLE IF NOT EXISTS uws.job (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,  -- what notifications and the queue say instead of the id
    id text NOT NULL UNIQUE,
    kind text NOT NULL,
    phase text NOT NULL,
    run_id text,
    owner text,
    session text,                                 -- the browser or script that may list it
    client text NOT NULL,                         -- the address that is counted for limits
    creation_time timestamptz NOT NULL DEFAULT now(),
    queued_time timestamptz,
    start_time timestamptz,
    end_time timestamptz,
    destruction timestamptz NOT NULL,
    quote timestamptz,
    execution_seconds integer NOT NULL CHECK (execution_seconds > 0),
    parameters jsonb NOT NULL,                    -- [[name, value], ...] as they came
    uploads jsonb NOT NULL DEFAULT '[]',          -- [{name, filename, content_type, file, size}, ...]
    base_url text NOT NULL,
    request text NOT NULL,
    results jsonb NOT NULL DEFAULT '[]',          -- [{id, media_type, size, file}, ...]
    error jsonb,                                  -- {type, message}
    info jsonb NOT NULL DEFAULT '{}',             -- {hints: [...], bytes, progress}
    attempts integer NOT NULL DEFAULT 0,          -- how often it began to run; each has files of its own
    losses integer NOT NULL DEFAULT 0,            -- how often it was lost while it ran
    worker integer,
    CONSTRAINT job_phase CHECK (phase IN ('PENDING', 'QUEUED', 'EXECUTING', 'COMPLETED', 'ERROR', 'ABORTED'))
);
CREATE INDEX IF NOT EXISTS job_destruction ON uws.job (destruction);
CREATE INDEX IF NOT EXISTS job_session ON uws.job (session, kind, creation_time) WHERE session IS NOT NULL;
CREATE INDEX IF NOT EXISTS job_pending ON uws.job (client) WHERE phase = 'PENDING';
CREATE INDEX IF NOT EXISTS job_running ON uws.job (client) WHERE phase IN ('QUEUED', 'EXECUTING');

-- Files of jobs that nobody needs any more. A line goes when its files are gone, so that none is forgotten when the
-- store is away for a while.
CREATE TABLE IF NOT EXISTS uws.trash (
    path text PRIMARY KEY,
    due timestamptz NOT NULL
);

CREATE OR REPLACE FUNCTION uws.discard(wanted_path text, wanted_due timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO uws.trash (path, due) VALUES (wanted_path, wanted_due)
    ON CONFLICT (path) DO UPDATE SET due = greatest(trash.due, excluded.due)
$$;

-- Whatever changes a job: those who wait for it are told, and the files of what did not come to an end are thrown away.
-- A worker may go on writing for a moment before it hears of it.
CREATE OR REPLACE FUNCTION uws.changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    due timestamptz := now() + CASE WHEN OLD.phase = 'EXECUTING' THEN interval '5 seconds' ELSE interval '0' END;
BEGIN
    PERFORM pg_notify('uws', OLD.number::text);
    IF TG_OP = 'DELETE' THEN
        PERFORM uws.discard(OLD.id, due);
        RETURN NULL;
    END IF;
    IF OLD.phase = 'EXECUTING' AND NEW.phase <> 'COMPLETED' THEN
        PERFORM uws.discard(OLD.id || '/' || OLD.attempts, due);
    END IF;
    -- What a job with many results has made so far stays while another attempt may go on from there.
    IF OLD.phase = 'EXECUTING' AND NEW.phase IN ('ERROR', 'ABORTED') THEN
        PERFORM uws.discard(OLD.id || '/parts', due);
    END IF;
    IF NEW.phase IN ('COMPLETED', 'ERROR', 'ABORTED') AND NEW.uploads <> '[]' THEN
        PERFORM uws.discard(OLD.id || '/uploads', due);
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER job_changed AFTER UPDATE OF phase OR DELETE ON uws.job
    FOR EACH ROW EXECUTE FUNCTION uws.changed();
