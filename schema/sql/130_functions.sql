-- What functions of ADQL need beyond PostgreSQL's and pgSphere's own. Their templates (vo/adql/functions) call these;
-- a wrong argument has a SQLSTATE of our own, whose words are in vo/db/faults.py.

-- Sexagesimal texts, as the catalogue of user-defined functions wants them (EN 1.2, ivo_hms_to_degrees and
-- ivo_dms_to_degrees): 12:34:56.7, 123456.7 or 12h34m56.7s, with blanks also 12 34 56.7; null when it is none of them.
-- letter is h for hours, which take no sign, or d for degrees.
CREATE OR REPLACE FUNCTION vo.sexagesimal(value text, letter text) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    written text := lower(btrim(value));
    seconds text := '(\d{1,2}(?:\.\d*)?)';
    found text[] := coalesce(
        regexp_match(written, '^([+-]?)(\d{1,3}):(\d{1,2}):' || seconds || '$'),
        regexp_match(written, '^([+-]?)(\d{1,3}) *' || letter || ' *(\d{1,2}) *m *' || seconds || ' *s$'),
        regexp_match(written, '^([+-]?)(\d{1,3}) +(\d{1,2}) +' || seconds || '$'),
        regexp_match(written, '^([+-]?)(\d{2,3})(\d{2})(\d{2}(?:\.\d*)?)$'));
    total numeric;
BEGIN
    IF found IS NULL OR found[3]::int >= 60 OR found[4]::numeric >= 60 THEN
        RETURN NULL;
    END IF;
    total := found[2]::numeric * 3600 + found[3]::numeric * 60 + found[4]::numeric;
    -- the quotient of numerics has at least as many decimals as its operands
    IF letter = 'h' THEN
        RETURN CASE WHEN found[1] = '' AND total < 86400 THEN total / 240.00000000000000000000 END;
    END IF;
    RETURN CASE WHEN total <= 1296000 THEN (found[1] || '1')::int * total / 3600.00000000000000000000 END;
END
$$;
COMMENT ON FUNCTION vo.sexagesimal IS 'Degrees of a text of hours (h) or degrees (d), minutes and seconds';

-- Uniform motion in space along a straight line: Lindegren, The Hipparcos and Tycho Catalogues (ESA SP-1200), volume 1,
-- section 1.5.5, as the catalogue of user-defined functions asks (EN 1.2, ivo_epoch_prop_pos). The direction at the time
-- is that of r + (p mu_alpha* + q mu_delta + r zeta) t, where (p, q, r) are the unit vectors at the star and zeta is its
-- radial velocity over its distance; the proper motions and zeta in radians a Julian year.
CREATE OR REPLACE FUNCTION vo.epoch_prop_pos(
    ra float8, "dec" float8, parallax float8, pmra float8, pmdec float8, radial_velocity float8,
    ref_epoch float8, out_epoch float8
) RETURNS spoint
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 20 AS $$
DECLARE
    years float8 := out_epoch - ref_epoch;
    mas constant float8 := pi() / 648000000;
    along float8 := coalesce(pmra, 0) * mas * years;
    up float8 := coalesce(pmdec, 0) * mas * years;
    -- 4.74... is the astronomical unit in km times the Julian years in a second
    outward float8 := 1 + coalesce(parallax * radial_velocity, 0) / (149597870.7 / 31557600) * mas * years;
    sin_ra float8 := sin(radians(ra));
    cos_ra float8 := cos(radians(ra));
    sin_dec float8 := sin(radians("dec"));
    cos_dec float8 := cos(radians("dec"));
    radial float8 := outward * cos_dec - up * sin_dec;
    x float8 := radial * cos_ra - along * sin_ra;
    y float8 := radial * sin_ra + along * cos_ra;
BEGIN
    IF ra IS NULL OR "dec" IS NULL OR years IS NULL THEN
        RAISE EXCEPTION 'ivo_epoch_prop_pos needs ra, dec, ref_epoch and out_epoch' USING ERRCODE = 'VO001';
    END IF;
    RETURN spoint(atan2(y, x), atan2(outward * sin_dec + up * cos_dec, sqrt(x * x + y * y)));
END
$$;
COMMENT ON FUNCTION vo.epoch_prop_pos IS 'Position at another epoch; degrees, mas, mas/yr (pmra with cos dec), km/s, years';

-- Takes all values of a group at once: a function called for each value is three times slower and copies its state.
CREATE OR REPLACE FUNCTION vo.histogram(collected float8[], lower float8, upper float8, nbins int4) RETURNS int4[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    IF (lower < upper AND upper - lower < 'Infinity') IS NOT TRUE THEN
        RAISE EXCEPTION 'ivo_histogram needs lower < upper' USING ERRCODE = 'VO002';
    END IF;
    RETURN (
        SELECT array_agg(coalesce(counted.number, 0)::int4 ORDER BY bin)
        FROM generate_series(0, nbins + 1) AS bin
        LEFT JOIN (
            SELECT CASE WHEN value = 'NaN' THEN 0
                        WHEN value > upper THEN nbins + 1
                        WHEN value = upper THEN nbins
                        WHEN value >= lower THEN width_bucket(value, lower, upper, nbins)
                        ELSE 0 END AS bin, count(*) AS number
            FROM unnest(collected) AS value GROUP BY 1
        ) AS counted USING (bin)
    );
END
$$;
COMMENT ON FUNCTION vo.histogram IS 'Counts below lower (with nulls), in nbins equal bins, and above upper';
