-- Reading the events of streams, which may be spread over many segments. Each segment is asked by its name: a
-- plan over all of them would lock each, and, kept since they were small, might look for a stream by position.

-- archived_upto: the row that says that a stream's events up to a version are in no segment.
CREATE OR REPLACE FUNCTION archived_upto(in_partition integer, wanted text, upto integer)
RETURNS SETOF events LANGUAGE sql IMMUTABLE AS $$
    SELECT NULL::bigint, NULL::timestamptz, in_partition, upto, NULL::uuid, wanted, NULL::text,
           NULL::text, NULL::bytea, NULL::bytea
$$;

-- load_events: the events of each stream behind a version; the order is that of each segment, not of the
-- versions. How many there are is known from `streams`, so it goes back from the newest segment only until it
-- has them all; a stream that has nothing new costs no look at the log. A row without a type says that the
-- stream's events up to that version are in no segment: they are archived.
CREATE OR REPLACE FUNCTION load_events(in_partition integer, wanted text[], behind integer[])
RETURNS SETOF events
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    names text[];
    after integer[];
    upto integer[];      -- the version up to which a stream's events are still to be found
    bounds bigint[];     -- and the position up to which to look for them
    missing bigint;
    found bigint;
    size bigint;
    archived bigint;
    low bigint;
    high bigint;
BEGIN
    SELECT array_agg(w.stream_id), array_agg(w.behind), array_agg(s.version),
           array_agg(s.last_position), sum(s.version - w.behind), max(s.last_position)
    INTO names, after, upto, bounds, missing, high
    FROM unnest(wanted, behind) AS w (stream_id, behind)
    CROSS JOIN LATERAL (
        SELECT k.version, k.last_position FROM streams AS k
        WHERE k.partition = in_partition AND k.stream_id = w.stream_id
        OFFSET 0
    ) AS s
    WHERE s.version > w.behind;
    IF missing IS NULL THEN
        RETURN;
    END IF;
    SELECT p.segment_events, p.archived_until INTO STRICT size, archived
    FROM partitions AS p WHERE p.partition = in_partition;

    WHILE high > archived LOOP
        low := (high - 1) / size * size + 1;
        RETURN QUERY EXECUTE format($query$
            SELECT e.* FROM unnest($1, $2, $3) AS w (stream_id, after, bound)
            CROSS JOIN LATERAL (
                SELECT * FROM events_%s_%s AS k
                WHERE k.stream_id = w.stream_id AND k.version > w.after
                OFFSET 0
            ) AS e
            WHERE w.bound >= $4 $query$, in_partition, low)
        USING names, after, bounds, low;
        GET DIAGNOSTICS found = ROW_COUNT;
        missing := missing - found;
        IF missing = 0 THEN
            RETURN;
        END IF;
        -- Some streams go on in older segments: which, and where.
        EXECUTE format($query$
            SELECT array_agg(w.stream_id), array_agg(w.after), array_agg(older.upto),
                   array_agg(least(w.bound, $5 - 1)), max(least(w.bound, $5 - 1))
            FROM unnest($1, $2, $3, $4) AS w (stream_id, after, upto, bound)
            CROSS JOIN LATERAL (
                SELECT coalesce(min(k.version) - 1, w.upto) AS upto FROM events_%s_%s AS k
                WHERE k.stream_id = w.stream_id AND k.version > w.after AND w.bound >= $5
            ) AS older
            WHERE older.upto > w.after $query$, in_partition, low)
        INTO names, after, upto, bounds, high USING names, after, upto, bounds, low;
    END LOOP;
    RETURN QUERY
    SELECT none.* FROM unnest(names, upto) AS w (stream_id, upto)
    CROSS JOIN LATERAL archived_upto(in_partition, w.stream_id, w.upto) AS none;
END $$;

-- read_stream_events: at most so many events of one stream behind a version, in order. When that is all there
-- are, they are looked for from the newest segment backwards, else from the oldest on. A row without a type
-- comes first when the stream may have earlier ones, up to that version, in archives.
CREATE OR REPLACE FUNCTION read_stream_events(
    in_partition integer, wanted text, behind integer, at_most integer
) RETURNS SETOF events
LANGUAGE plpgsql STABLE SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    last_version integer;
    size bigint;
    first_archived boolean;
    low bigint;
    high bigint;
    until bigint;
    missing bigint := at_most;
    found bigint;
BEGIN
    SELECT s.version, p.segment_events, s.first_position <= p.archived_until,
           greatest(s.first_position, p.archived_until + 1), s.last_position
    INTO last_version, size, first_archived, low, until
    FROM streams AS s JOIN partitions AS p ON p.partition = s.partition
    WHERE s.partition = in_partition AND s.stream_id = wanted AND s.version > behind;
    IF last_version IS NULL THEN
        RETURN;
    END IF;
    IF last_version - behind <= at_most THEN
        RETURN QUERY
        SELECT e.* FROM load_events(in_partition, ARRAY[wanted], ARRAY[behind]) AS e
        ORDER BY e.version;
        RETURN;
    END IF;
    IF first_archived THEN
        RETURN QUERY SELECT * FROM archived_upto(in_partition, wanted, last_version);
    END IF;
    WHILE low <= until AND missing > 0 LOOP
        high := (low - 1) / size * size + size;
        RETURN QUERY EXECUTE format($query$
            SELECT * FROM events_%s_%s WHERE stream_id = $1 AND version > $2
            ORDER BY version
            LIMIT $3 $query$, in_partition, high - size + 1)
        USING wanted, behind, missing;
        GET DIAGNOSTICS found = ROW_COUNT;
        missing := missing - found;
        low := high + 1;
    END LOOP;
END $$;
