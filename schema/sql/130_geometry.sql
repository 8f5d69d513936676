-- Geometry that pgSphere 1.2 lacks: its distances below 0.2 mas are 0, its points within 0.2 mas of longitude 0 or of
-- the equator are moved there, and it knows rotations only.

-- The angle between two positions, all in degrees, exact for the smallest angles as for those near 180: the half-angle's
-- sine and cosine are each the root of a sum of squares, so nothing cancels (haversine's formula in its symmetric form).
-- A plain expression, so that PostgreSQL puts it in the place of the call.
CREATE OR REPLACE FUNCTION vo.separation(lon1 float8, lat1 float8, lon2 float8, lat2 float8) RETURNS float8
LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 20 AS $$
    SELECT 2 * degrees(atan2(
        sqrt(power(sin(radians(lat1 - lat2) / 2) * cos(radians(lon1 - lon2) / 2), 2)
            + power(cos(radians(lat1 + lat2) / 2) * sin(radians(lon1 - lon2) / 2), 2)),
        sqrt(power(cos(radians(lat1 - lat2) / 2) * cos(radians(lon1 - lon2) / 2), 2)
            + power(sin(radians(lat1 + lat2) / 2) * sin(radians(lon1 - lon2) / 2), 2))))
$$;
COMMENT ON FUNCTION vo.separation(float8, float8, float8, float8) IS 'Angle between two positions, degrees';

-- The E-terms of aberration at B1950 taken off a position of FK4 (Explanatory Supplement 1992, section 3.53); the numbers
-- are those of vo/adql/frames.py.
CREATE OR REPLACE FUNCTION vo.without_e_terms(place spoint) RETURNS spoint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 50 AS $$
DECLARE
    x float8 := cos(lat(place)) * cos(long(place));
    y float8 := cos(lat(place)) * sin(long(place));
    z float8 := sin(lat(place));
    a CONSTANT float8 := -1.6255741516894347e-06;
    b CONSTANT float8 := -3.191905371563791e-07;
    c CONSTANT float8 := -1.384290671929659e-07;
    f float8 := 1 + a * x + b * y + c * z;
    u float8 := f * x - a;
    v float8 := f * y - b;
    w float8 := f * z - c;
BEGIN
    RETURN spoint(atan2(v, u), atan2(w, sqrt(u * u + v * v)));
END $$;
COMMENT ON FUNCTION vo.without_e_terms(spoint) IS 'A position of FK4 without the E-terms of aberration';

GRANT EXECUTE ON FUNCTION vo.separation(float8, float8, float8, float8), vo.without_e_terms(spoint) TO vo_query, vo_service;
