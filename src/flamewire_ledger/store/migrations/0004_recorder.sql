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
BEGIN
    IF lock_timeout_seconds > 0 THEN
        PERFORM set_config('lock_timeout', lock_timeout_seconds || 's', true);
    END IF;
    UPDATE partitions AS p
    SET head = p.head + cardinality(e_stream),
        recorded_at = greatest(clock_timestamp(), p.recorded_at)
    WHERE p.partition = into_partition
    RETURNING p.head - cardinality(e_stream), p.recorded_at INTO STRICT base, at;

    INSERT INTO events (partition, position, recorded_at, version, command_id, stream_id, type,
                        merchant_id, metadata, data)
    SELECT into_partition, base + e.number, at, e.version, command.id, e.stream_id, e.type,
           '', '{}', e.data
    FROM unnest(e_stream, e_version, e_type, e_data)
         WITH ORDINALITY AS e (stream_id, version, type, data, number),
         (SELECT gen_random_uuid() AS id) AS command;

    INSERT INTO streams AS t (partition, stream_id, version)
    SELECT into_partition, e.stream_id, max(e.version)
    FROM unnest(e_stream, e_version) AS e (stream_id, version)
    GROUP BY e.stream_id
    ON CONFLICT (partition, stream_id)
    DO UPDATE SET version = excluded.version WHERE t.version < excluded.version;

    PERFORM pg_notify('flamewire_events', into_partition || ' ' || base + cardinality(e_stream));
    RETURN QUERY SELECT base + number FROM generate_series(1, cardinality(e_stream)) AS number;
END $$;
