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

-- pgSphere shows a polygon's vertices only in its text, with 15 digits: longitude and latitude of each in radians.
CREATE OR REPLACE FUNCTION vo.corners(shape spoly) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
BEGIN
    RETURN string_to_array(translate(shape::text, '{}() ', ''), ',');
END $$;
COMMENT ON FUNCTION vo.corners(spoly) IS 'Longitude and latitude of each vertex, radians';

-- 15 digits of radians are sure to 12 decimals of degrees.
CREATE OR REPLACE FUNCTION vo.vertices(shape spoly) RETURNS float8[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
DECLARE
    v float8[] := vo.corners(shape);
BEGIN
    FOR i IN 1 .. cardinality(v) LOOP
        v[i] := round(degrees(v[i])::numeric, 12);
    END LOOP;
    RETURN v;
END $$;
COMMENT ON FUNCTION vo.vertices(spoly) IS 'Longitude and latitude of each vertex, degrees';

-- pgSphere's area, the sum of angles less that of a plane polygon, has an error of up to 5e-11 steradians, and is 0 below 1e-9.
-- So small ones are summed up of the triangles between the first vertex and each edge (Eriksson 1990, Math. Mag. 63, 184),
-- from differences of vectors, in which the digits are kept.
CREATE OR REPLACE FUNCTION vo.area(shape spoly) RETURNS float8
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
DECLARE
    total float8 := area(shape);
    v float8[];
    x float8; y float8; z float8;
    ax float8 := 0; ay float8 := 0; az float8 := 0;
    qx float8; qy float8; qz float8;
BEGIN
    IF total > 0.003 THEN
        RETURN total;
    END IF;
    v := vo.corners(shape);
    x := cos(v[2]) * cos(v[1]); y := cos(v[2]) * sin(v[1]); z := sin(v[2]);
    total := 0;
    FOR i IN 2 .. cardinality(v) / 2 LOOP
        qx := cos(v[2*i]) * cos(v[2*i-1]) - x; qy := cos(v[2*i]) * sin(v[2*i-1]) - y; qz := sin(v[2*i]) - z;
        total := total + 2 * atan2(
            x * (ay*qz - az*qy) + y * (az*qx - ax*qz) + z * (ax*qy - ay*qx),
            4 - (ax*ax + ay*ay + az*az + qx*qx + qy*qy + qz*qz
                + power(ax - qx, 2) + power(ay - qy, 2) + power(az - qz, 2)) / 2);
        ax := qx; ay := qy; az := qz;
    END LOOP;
    RETURN abs(total);
END $$;
COMMENT ON FUNCTION vo.area(spoly) IS 'Area, steradians';

-- The centre of area: half the sum over the edges of (angle of the edge) times (pole of the edge), turned to the polygon's
-- own side when its vertices run clockwise. Written in differences from a middle, whose own part of the sum is 0, so that
-- small polygons keep their digits; f is an edge's angle divided by its sine, less 1.
CREATE OR REPLACE FUNCTION vo.centroid(shape spoly) RETURNS spoint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
DECLARE
    v float8[] := vo.corners(shape);
    n int := cardinality(v) / 2;
    mx float8 := 0; my float8 := 0; mz float8 := 0;
    ax float8; ay float8; az float8; qx float8; qy float8; qz float8;
    dx float8; dy float8; dz float8; s float8; f float8;
    x float8 := 0; y float8 := 0; z float8 := 0;
BEGIN
    FOR i IN 1 .. n LOOP
        mx := mx + cos(v[2*i]) * cos(v[2*i-1]); my := my + cos(v[2*i]) * sin(v[2*i-1]); mz := mz + sin(v[2*i]);
    END LOOP;
    s := sqrt(mx*mx + my*my + mz*mz);
    mx := mx / s; my := my / s; mz := mz / s;
    ax := cos(v[2*n]) * cos(v[2*n-1]) - mx; ay := cos(v[2*n]) * sin(v[2*n-1]) - my; az := sin(v[2*n]) - mz;
    FOR i IN 1 .. n LOOP
        qx := cos(v[2*i]) * cos(v[2*i-1]) - mx; qy := cos(v[2*i]) * sin(v[2*i-1]) - my; qz := sin(v[2*i]) - mz;
        dx := qx - ax; dy := qy - ay; dz := qz - az;
        s := (dx*dx + dy*dy + dz*dz) / 4;
        f := CASE WHEN s < 0.001 THEN s * (2/3::float8 + s * (8/15::float8 + s * (16/35::float8 + s * 128/315::float8)))
            ELSE asin(sqrt(s)) / sqrt(s * (1 - s)) - 1 END;
        x := x + f * (my*dz - mz*dy) + (1 + f) * (ay*qz - az*qy);
        y := y + f * (mz*dx - mx*dz) + (1 + f) * (az*qx - ax*qz);
        z := z + f * (mx*dy - my*dx) + (1 + f) * (ax*qy - ay*qx);
        ax := qx; ay := qy; az := qz;
    END LOOP;
    s := sign(x*mx + y*my + z*mz);
    RETURN spoint(atan2(s * y, s * x), atan2(s * z, sqrt(x*x + y*y)));
END $$;
COMMENT ON FUNCTION vo.centroid(spoly) IS 'Centre of area';

-- A corner of a box (ADQL 2.1, section 4.2.9): where the great circles meet that cross the arms' ends at right angles;
-- signs say which arms. A size that is none is told.
CREATE OR REPLACE FUNCTION vo.box_corner(
    lon float8, lat float8, width float8, height float8, east int, north int
) RETURNS spoint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 50 AS $$
DECLARE
    x float8 := east * tan(radians(width) / 2);
    y float8 := north * tan(radians(height) / 2);
    inward float8 := cos(radians(lat)) - y * sin(radians(lat));
BEGIN
    IF NOT (width > 0 AND width < 180 AND height > 0 AND height < 180) THEN
        RAISE EXCEPTION 'a box of % by % degrees: sizes lie between 0 and 180', width, height
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN spoint(
        radians(lon) + atan2(x, inward),
        atan2(sin(radians(lat)) + y * cos(radians(lat)), sqrt(inward * inward + x * x)));
END $$;
COMMENT ON FUNCTION vo.box_corner(float8, float8, float8, float8, int, int) IS 'A corner of a box';

CREATE OR REPLACE FUNCTION vo.box(lon float8, lat float8, width float8, height float8) RETURNS spoly
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
DECLARE
    a spoint := vo.box_corner(lon, lat, width, height, 1, -1);
    b spoint := vo.box_corner(lon, lat, width, height, 1, 1);
    c spoint := vo.box_corner(lon, lat, width, height, -1, 1);
    d spoint := vo.box_corner(lon, lat, width, height, -1, -1);
BEGIN
    RETURN format('{(%s,%s),(%s,%s),(%s,%s),(%s,%s)}',
        long(a), lat(a), long(b), lat(b), long(c), lat(c), long(d), lat(d));
END $$;
COMMENT ON FUNCTION vo.box(float8, float8, float8, float8) IS 'A box around a position, all in degrees';

CREATE OR REPLACE FUNCTION vo.box(centre spoint, width float8, height float8) RETURNS spoly
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 500 AS $$
BEGIN
    RETURN vo.box(degrees(long(centre)), degrees(lat(centre)), width, height);
END $$;
COMMENT ON FUNCTION vo.box(spoint, float8, float8) IS 'A box around a point, sizes in degrees';

GRANT EXECUTE ON FUNCTION vo.separation(float8, float8, float8, float8), vo.without_e_terms(spoint), vo.corners(spoly),
    vo.vertices(spoly), vo.area(spoly), vo.centroid(spoly), vo.box_corner(float8, float8, float8, float8, int, int),
    vo.box(float8, float8, float8, float8), vo.box(spoint, float8, float8) TO vo_query, vo_service;
