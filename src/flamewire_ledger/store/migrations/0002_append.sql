-- One group commit in one call. The arrays come in four groups, each numbered from 1:
--   c_…  commands: id, fingerprint, answer; how many events the batch has up to its last one, or how
--        many it has itself, with the number of the one before it in the batch that has the same id
--        (0: none)
--   s_…  streams, each once: id, the version the batch expects first, the version it would leave
--   r_…  which command mentions which stream, at which version, with how many events; by command
--   e_…  events in order: the number of their command, then the columns of the row
--
-- Tables are looked up by LATERAL … OFFSET 0, which leaves the planner one way to do it: by index, row
-- by row. Plans are kept, and one made while the tables were small would otherwise scan them for
-- ever; for the same reason the store's connections have enable_seqscan off.

-- append_each: the slow path, one verdict for each command. The head's lock comes first. The answer has
-- one row with command 0: the head before the first event. Every other row is a command that was not
-- recorded: found_… when its id was known before, `moved` (numbers of streams) when a stream was
-- elsewhere, neither when its id was recorded earlier in this very batch.
CREATE OR REPLACE FUNCTION append_each(
    into_partition integer,
    c_id uuid[], c_fingerprint bytea[], c_answer bytea[], c_events integer[], c_earlier integer[],
    s_id text[],
    r_command integer[], r_stream integer[], r_expected integer[], r_events integer[],
    e_command integer[], e_command_id uuid[], e_stream text[], e_version integer[], e_type text[],
    e_merchant text[], e_metadata bytea[], e_data bytea[]
) RETURNS TABLE (
    command integer, found_position bigint, found_fingerprint bytea, found_answer bytea,
    moved integer[]
)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    base bigint;
    at timestamptz;
    room bigint;
    inserted bigint;
    known boolean[];
    heads integer[];
    tainted boolean[] := array_fill(false, ARRAY[cardinality(s_id)]);
    good boolean[] := array_fill(false, ARRAY[cardinality(c_id)]);
    stored boolean[] := array_fill(false, ARRAY[cardinality(c_id)]);
    r integer := 1;
    r_first integer;
    elsewhere integer[];
BEGIN
    SELECT p.head, greatest(clock_timestamp(), p.recorded_at), p.room_until
    INTO STRICT base, at, room
    FROM partitions AS p WHERE p.partition = into_partition FOR NO KEY UPDATE;
    SELECT array_agg(found.position IS NOT NULL ORDER BY c.number) INTO known
    FROM unnest(c_id) WITH ORDINALITY AS c (id, number)
    LEFT JOIN LATERAL (
        SELECT k.position FROM commands AS k
        WHERE k.partition = into_partition AND k.command_id = c.id
        OFFSET 0
    ) AS found ON true;
    SELECT array_agg(coalesce(found.version, 0) ORDER BY s.number) INTO heads
    FROM unnest(s_id) WITH ORDINALITY AS s (id, number)
    LEFT JOIN LATERAL (
        SELECT k.version FROM streams AS k
        WHERE k.partition = into_partition AND k.stream_id = s.id
        OFFSET 0
    ) AS found ON true;

    RETURN QUERY SELECT 0, base, NULL::bytea, NULL::bytea, NULL::integer[];
    RETURN QUERY
    SELECT c.number::integer, found.position, found.fingerprint, found.answer, NULL::integer[]
    FROM unnest(c_id) WITH ORDINALITY AS c (id, number)
    CROSS JOIN LATERAL (
        SELECT k.position, k.fingerprint, k.answer FROM commands AS k
        WHERE k.partition = into_partition AND k.command_id = c.id
        OFFSET 0
    ) AS found;

    FOR c IN 1 .. cardinality(c_id) LOOP
        r_first := r;
        elsewhere := '{}';
        WHILE r_command[r] = c LOOP
            IF tainted[r_stream[r]] OR heads[r_stream[r]] <> r_expected[r] THEN
                elsewhere := elsewhere || r_stream[r];
            END IF;
            r := r + 1;
        END LOOP;
        stored[c] := known[c] OR (c_earlier[c] > 0 AND stored[c_earlier[c]]);
        good[c] := NOT stored[c] AND elsewhere = '{}';
        FOR m IN r_first .. r - 1 LOOP
            IF good[c] THEN
                heads[r_stream[m]] := heads[r_stream[m]] + r_events[m];
            ELSE
                tainted[r_stream[m]] := true;
            END IF;
        END LOOP;
        IF NOT good[c] AND NOT known[c] THEN
            command := c;
            moved := CASE WHEN stored[c] THEN NULL ELSE elsewhere END;
            RETURN NEXT;
        END IF;
        stored[c] := stored[c] OR good[c];
    END LOOP;

    INSERT INTO commands (partition, command_id, fingerprint, answer, position)
    SELECT into_partition, c.id, c.fingerprint, c.answer,
           base + sum(c.events) OVER (ROWS UNBOUNDED PRECEDING)
    FROM unnest(c_id, c_fingerprint, c_answer, c_events, good)
         AS c (id, fingerprint, answer, events, good)
    WHERE c.good;
    INSERT INTO streams AS t (partition, stream_id, version, first_position, last_position)
    SELECT into_partition, s.id, s.head, base + 1, base + cardinality(e_data)
    FROM unnest(s_id, heads) AS s (id, head)
    WHERE s.head > 0
    ON CONFLICT (partition, stream_id)
    DO UPDATE SET version = excluded.version, last_position = excluded.last_position
    WHERE t.version < excluded.version;
    IF base + cardinality(e_data) > room THEN
        PERFORM make_room(into_partition, base + cardinality(e_data));
    END IF;
    INSERT INTO events (partition, position, recorded_at, version, command_id, stream_id,
                        type, merchant_id, metadata, data)
    SELECT into_partition, base + row_number() OVER (ORDER BY e.number), at, e.version,
           e.command_id, e.stream_id, e.type, e.merchant_id, e.metadata, e.data
    FROM unnest(e_command, e_command_id, e_stream, e_version, e_type, e_merchant, e_metadata, e_data)
         WITH ORDINALITY AS e (command, command_id, stream_id, version, type, merchant_id,
                               metadata, data, number)
    WHERE good[e.command];
    GET DIAGNOSTICS inserted = ROW_COUNT;
    IF inserted > 0 THEN
        UPDATE partitions SET head = base + inserted, recorded_at = at
        WHERE partition = into_partition;
        PERFORM pg_notify('flamewire_events', into_partition || ' ' || base + inserted);
    END IF;
END $$;

-- append_batch: what the store calls first, for a batch in which the mentions of each stream continue each
-- other and no id comes twice. It assumes that all is as expected, and answers the head before the first
-- event. Whatever is not undoes all of it, and the answer is nothing: then each command is looked at for
-- itself, by append_each.
CREATE OR REPLACE FUNCTION append_batch(
    into_partition integer,
    c_id uuid[], c_fingerprint bytea[], c_answer bytea[], c_last integer[],
    s_id text[], s_expected integer[], s_last integer[],
    e_command_id uuid[], e_stream text[], e_version integer[], e_type text[],
    e_merchant text[], e_metadata bytea[], e_data bytea[]
) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    base bigint;
    at timestamptz;
    room bigint;
    as_expected bigint;
    touched bigint;
BEGIN
    UPDATE partitions AS p
    SET head = p.head + cardinality(e_data),
        recorded_at = greatest(clock_timestamp(), p.recorded_at)
    WHERE p.partition = into_partition
    RETURNING p.head - cardinality(e_data), p.recorded_at, p.room_until
    INTO STRICT base, at, room;
    IF base + cardinality(e_data) > room THEN
        PERFORM make_room(into_partition, base + cardinality(e_data));
    END IF;

    INSERT INTO commands (partition, command_id, fingerprint, answer, position)
    SELECT into_partition, c.id, c.fingerprint, c.answer, base + c.last
    FROM unnest(c_id, c_fingerprint, c_answer, c_last) AS c (id, fingerprint, answer, last);

    INSERT INTO streams (partition, stream_id, version, first_position, last_position)
    SELECT into_partition, s.id, s.last, base + 1, base + cardinality(e_data)
    FROM unnest(s_id, s_expected, s_last) AS s (id, expected, last)
    WHERE s.expected = 0 AND s.last > 0;
    GET DIAGNOSTICS as_expected = ROW_COUNT;

    IF as_expected < cardinality(s_id) THEN
        UPDATE streams AS t
        SET version = found.last, last_position = base + cardinality(e_data)
        FROM (
            SELECT known.ctid, s.last
            FROM unnest(s_id, s_expected, s_last) AS s (id, expected, last)
            CROSS JOIN LATERAL (
                SELECT k.ctid, k.version FROM streams AS k
                WHERE k.partition = into_partition AND k.stream_id = s.id
                OFFSET 0
            ) AS known
            WHERE s.expected > 0 AND s.last > s.expected AND known.version = s.expected
        ) AS found
        WHERE t.ctid = found.ctid;
        GET DIAGNOSTICS touched = ROW_COUNT;
        as_expected := as_expected + touched;
    END IF;
    IF as_expected < cardinality(s_id) THEN  -- the rest may have been looked at only
        as_expected := as_expected + (
            SELECT count(*)
            FROM unnest(s_id, s_expected, s_last) AS s (id, expected, last)
            LEFT JOIN LATERAL (
                SELECT k.version FROM streams AS k
                WHERE k.partition = into_partition AND k.stream_id = s.id
                OFFSET 0
            ) AS known ON true
            WHERE s.last = s.expected AND coalesce(known.version, 0) = s.expected);
    END IF;
    IF as_expected < cardinality(s_id) THEN
        RAISE unique_violation;
    END IF;

    INSERT INTO events (partition, position, recorded_at, version, command_id, stream_id,
                        type, merchant_id, metadata, data)
    SELECT into_partition, base + e.number, at, e.version, e.command_id, e.stream_id,
           e.type, e.merchant_id, e.metadata, e.data
    FROM unnest(e_command_id, e_stream, e_version, e_type, e_merchant, e_metadata, e_data)
         WITH ORDINALITY AS e (command_id, stream_id, version, type, merchant_id,
                               metadata, data, number);

    PERFORM pg_notify('flamewire_events', into_partition || ' ' || base + cardinality(e_data));
    RETURN base;
EXCEPTION WHEN unique_violation THEN
    RETURN NULL;  -- somebody was first
END $$;

-- append_alone: append_batch, and append_each when that recorded nothing, in one call: it is sent together with the
-- commit, so that a turn at the partition ends here and not when the client has come round to it.
CREATE OR REPLACE FUNCTION append_alone(
    into_partition integer,
    c_id uuid[], c_fingerprint bytea[], c_answer bytea[], c_last integer[], c_events integer[],
    c_earlier integer[],
    s_id text[], s_expected integer[], s_last integer[],
    r_command integer[], r_stream integer[], r_expected integer[], r_events integer[],
    e_command integer[], e_command_id uuid[], e_stream text[], e_version integer[], e_type text[],
    e_merchant text[], e_metadata bytea[], e_data bytea[]
) RETURNS TABLE (
    command integer, found_position bigint, found_fingerprint bytea, found_answer bytea,
    moved integer[]
)
LANGUAGE plpgsql
AS $$
BEGIN
    command := 0;
    found_position := append_batch(
        into_partition, c_id, c_fingerprint, c_answer, c_last, s_id, s_expected, s_last,
        e_command_id, e_stream, e_version, e_type, e_merchant, e_metadata, e_data);
    IF found_position IS NOT NULL THEN
        RETURN NEXT;
        RETURN;
    END IF;
    RETURN QUERY SELECT * FROM append_each(
        into_partition, c_id, c_fingerprint, c_answer, c_events, c_earlier, s_id,
        r_command, r_stream, r_expected, r_events,
        e_command, e_command_id, e_stream, e_version, e_type, e_merchant, e_metadata, e_data);
END $$;

-- position_before: the last position recorded at or before a time, by halving; the times never fall.
CREATE OR REPLACE FUNCTION position_before(in_partition integer, at timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    -- Recorded by then, or before the first that is no archive's.
    low bigint := (SELECT archived_until FROM partitions WHERE partition = in_partition);
    high bigint := (SELECT head + 1 FROM partitions WHERE partition = in_partition);
    middle bigint;
BEGIN
    WHILE high - low > 1 LOOP
        middle := (low + high) / 2;
        -- One that is not there any more was archived just now, and is older than what is there.
        IF coalesce((SELECT recorded_at FROM events
                     WHERE partition = in_partition AND position = middle) <= at, true) THEN
            low := middle;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;
