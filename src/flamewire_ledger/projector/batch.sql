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

-- stage_log: the events of a partition of the log beside us behind a position, as far as there are any up to another, with what is looked at; then how many there are, up to where, and the types that are staged.
WITH stretch AS (
    SELECT count(*) AS events, max(position) AS last
    FROM events
    WHERE partition = %(partition)s AND position > %(after)s AND position <= %(until)s
),
staged AS (
    INSERT INTO staged_events (
        position, stream_id, version, type, merchant_id, command_id, recorded_at, metadata, data
    )
    SELECT
        position, stream_id, version, type, merchant_id, command_id, recorded_at,
        CASE WHEN {metadata_types}::text[] IS NULL OR type = ANY ({metadata_types}) THEN
            convert_from(coalesce(nullif(metadata, ''), '{{}}'), 'UTF8')::jsonb
        END,
        CASE WHEN {data_types}::text[] IS NULL OR type = ANY ({data_types}) THEN
            convert_from(data, 'UTF8')::jsonb
        END
    FROM events
    WHERE partition = %(partition)s AND position > %(after)s AND position <= %(until)s
        AND ({types}::text[] IS NULL OR type = ANY ({types}))
    ORDER BY position
    RETURNING type
)
SELECT stretch.events, coalesce(stretch.last, %(after)s), ARRAY(SELECT DISTINCT type FROM staged)
FROM stretch;

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
