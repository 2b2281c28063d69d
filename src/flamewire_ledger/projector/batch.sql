-- make_room: where a connection keeps the events that its statements read, until its transaction ends.
CREATE TEMPORARY TABLE staged_events (
    position     bigint NOT NULL,
    stream_id    text NOT NULL,
    version      bigint NOT NULL,
    type         text NOT NULL,
    merchant_id  text NOT NULL,
    command_id   uuid NOT NULL,
    recorded_at  timestamptz NOT NULL,
    metadata     jsonb,
    data         jsonb
) ON COMMIT DELETE ROWS;

-- keep_as_it_is: what lives for one transaction is not worth compressing.
ALTER TABLE staged_events ALTER metadata SET STORAGE EXTERNAL, ALTER data SET STORAGE EXTERNAL;

-- clear: there may be one from before, in the same transaction.
DELETE FROM staged_events;

-- copy: the rows come behind it.
COPY staged_events (
    position, version, command_id, recorded_at, stream_id, type, merchant_id, metadata, data
) FROM STDIN (FORMAT binary);

-- batch: what a statement of a projection reads; it is put in front of each.
batch AS (
    SELECT
        position, stream_id, version, type, merchant_id, command_id, recorded_at,
        metadata->>'actor' AS actor,
        metadata->>'causation_id' AS causation_id,
        metadata->>'correlation_id' AS correlation_id,
        data
    FROM staged_events
    WHERE (%(types)s::text[] IS NULL OR type = ANY (%(types)s))
        AND position > %(after)s
        AND (%(positions)s::bigint[] IS NULL OR position = ANY (%(positions)s))
);
