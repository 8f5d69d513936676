-- What archive.yaml does not publish. Files from 100 to 899 run as vo_owner after the tables are made.

-- Values of a collection's own columns, by column name.
ALTER TABLE archive.plate ADD COLUMN IF NOT EXISTS own jsonb NOT NULL DEFAULT '{}';

-- Files: their locations are nobody's business; Datalink hands out addresses of ours.
CREATE TABLE IF NOT EXISTS archive.product (
    product_id text PRIMARY KEY,
    collection text NOT NULL,
    plate_id text NOT NULL,
    role text NOT NULL,
    content_type text NOT NULL,
    scan_id text,
    exposure_id text,
    location text,
    content_length bigint CHECK (content_length >= 0),
    width integer,
    height integer,
    pixel_scale double precision,
    hdu integer NOT NULL DEFAULT 0,
    bin_factor integer NOT NULL DEFAULT 1,
    description text,
    is_base boolean NOT NULL DEFAULT false,
    checksum text,
    missing_date timestamp,
    CONSTRAINT product_plate FOREIGN KEY (collection, plate_id) REFERENCES archive.plate (collection, plate_id)
        DEFERRABLE INITIALLY DEFERRED
);
-- A database that was made before has fewer columns and roles.
ALTER TABLE archive.product ADD COLUMN IF NOT EXISTS is_base boolean NOT NULL DEFAULT false;
ALTER TABLE archive.product ADD COLUMN IF NOT EXISTS checksum text;
ALTER TABLE archive.product ADD COLUMN IF NOT EXISTS missing_date timestamp;
ALTER TABLE archive.product DROP CONSTRAINT IF EXISTS product_role;
ALTER TABLE archive.product ADD CONSTRAINT product_role CHECK (role IN
    ('fits', 'fits_binned', 'preview', 'thumbnail', 'plate_photo', 'plate_photo_clean', 'jacket_photo', 'logbook',
     'calibration', 'raw', 'documentation'));
CREATE INDEX IF NOT EXISTS product_collection_plate_id ON archive.product (collection, plate_id);

-- Of the versions of a solution at most one is current. Deferred to the end of the transaction, since a new version
-- and the end of the old one may come in any order.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'solution_one_current') THEN
        ALTER TABLE archive.solution ADD CONSTRAINT solution_one_current
            EXCLUDE USING btree (collection WITH =, plate_id WITH =, scan_id WITH =, solution_id WITH =)
            WHERE (is_current) DEFERRABLE INITIALLY DEFERRED;
    END IF;
END $$;
