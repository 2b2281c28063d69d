-- Logs beside the ledger's own, for applications written with the library `eventsourcing`: each has a
-- partition of the same tables, numbered from 1 000 000 on. See store/recorder.py.

CREATE TABLE recorder_logs (
    name      text PRIMARY KEY,
    partition integer NOT NULL UNIQUE CHECK (partition >= 1000000)
);

-- log_partition: the partition of a log; a log that nobody opened is like a table that is not there.
CREATE OR REPLACE FUNCTION log_partition(log text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    found integer;
BEGIN
    SELECT partition INTO found FROM recorder_logs WHERE name = log;
    IF found IS NULL THEN
        RAISE undefined_table USING MESSAGE = 'there is no log ' || log || '; set CREATE_TABLE=yes';
    END IF;
    RETURN found;
END $$;

-- open_log: the partition of a log, made if need be; several processes may do so at once.
CREATE OR REPLACE FUNCTION open_log(log text) RETURNS integer
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    found integer;
BEGIN
    PERFORM pg_advisory_xact_lock(4070617264);
    SELECT partition INTO found FROM recorder_logs WHERE name = log;
    IF found IS NULL THEN
        INSERT INTO recorder_logs (name, partition)
        SELECT log, coalesce(max(partition), 999999) + 1 FROM recorder_logs
        RETURNING partition INTO found;
        PERFORM create_partition(found);
    END IF;
    RETURN found;
END $$;

-- version_taken: whether one of these versions is there already. A segment's index says so of the segment
-- alone. One above all before it is free; one below may be anywhere, and counts as taken where it may
-- be archived.
CREATE OR REPLACE FUNCTION version_taken(
    in_partition integer, e_stream text[], e_version integer[]
) RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT EXISTS (
        SELECT FROM unnest(e_stream, e_version) AS e (stream_id, version)
        JOIN streams AS s ON s.partition = in_partition AND s.stream_id = e.stream_id
        JOIN partitions AS p ON p.partition = in_partition
        WHERE e.version <= s.version
          AND (s.first_position <= p.archived_until OR EXISTS (
              SELECT FROM events AS k
              WHERE k.partition = in_partition AND k.stream_id = e.stream_id
                AND k.version = e.version
                AND k.position BETWEEN s.first_position AND s.last_position))
    )
$$;

-- record_events: append to a log; the positions, in order. Versions are whatever the application says,
-- and each is taken once: a second time is a unique violation. As in append_batch, the head comes
-- first and is held until the commit, so positions have no gap and their order is that of the commits.
CREATE OR REPLACE FUNCTION record_events(
    log text, lock_timeout_seconds integer,
    e_stream text[], e_version integer[], e_type text[], e_data bytea[]
) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    into_partition integer := log_partition(log);
    base bigint;
    at timestamptz;
    room bigint;
BEGIN
    IF lock_timeout_seconds > 0 THEN
        PERFORM set_config('lock_timeout', lock_timeout_seconds || 's', true);
    END IF;
    UPDATE partitions AS p
    SET head = p.head + cardinality(e_stream),
        recorded_at = greatest(clock_timestamp(), p.recorded_at)
    WHERE p.partition = into_partition
    RETURNING p.head - cardinality(e_stream), p.recorded_at, p.room_until INTO STRICT base, at, room;
    IF base + cardinality(e_stream) > room THEN
        PERFORM make_room(into_partition, base + cardinality(e_stream));
    END IF;

    IF version_taken(into_partition, e_stream, e_version) THEN
        RAISE unique_violation USING MESSAGE = 'a version of a stream is taken';
    END IF;
    INSERT INTO events (partition, position, recorded_at, version, command_id, stream_id, type,
                        merchant_id, metadata, data)
    SELECT into_partition, base + e.number, at, e.version, command.id, e.stream_id, e.type,
           '', '{}', e.data
    FROM unnest(e_stream, e_version, e_type, e_data)
         WITH ORDINALITY AS e (stream_id, version, type, data, number),
         (SELECT gen_random_uuid() AS id) AS command;

    INSERT INTO streams AS t (partition, stream_id, version, first_position, last_position)
    SELECT into_partition, e.stream_id, max(e.version), base + 1, base + cardinality(e_stream)
    FROM unnest(e_stream, e_version) AS e (stream_id, version)
    GROUP BY e.stream_id
    ON CONFLICT (partition, stream_id)
    DO UPDATE SET version = greatest(t.version, excluded.version),
                  last_position = excluded.last_position;

    PERFORM pg_notify('flamewire_events', into_partition || ' ' || base + cardinality(e_stream));
    RETURN QUERY SELECT base + number FROM generate_series(1, cardinality(e_stream)) AS number;
END $$;
