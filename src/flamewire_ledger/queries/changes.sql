-- look: where a live read model stands, and which of its streams have changed in the log behind a position. One row at least when it is built. `epoch` is another after a rebuild, and after a restart, a failover or a restore of the database: then positions may mean other events.
SELECT shard.head, range.looked_behind, live.position AS reached,
    md5(concat_ws(' ', built.built_at, built.fingerprint, pg_postmaster_start_time(), database.oid)) AS epoch,
    EXISTS (
        SELECT FROM dead_letters AS letter
        WHERE letter.consumer = 'projection:' || live.name AND letter.generation = 'live'
            AND letter.partition = shard.partition AND letter.discarded_at IS NULL
    ) AS is_parked,
    changed.stream_id, changed.position
FROM partitions AS shard
JOIN projection_checkpoints AS live ON live.partition = shard.partition AND live.generation = 'live'
JOIN projections AS built USING (name)
JOIN pg_database AS database ON database.datname = current_database()
CROSS JOIN LATERAL (
    SELECT greatest(%(after)s, shard.head - %(events_max)s, shard.archived_until) AS looked_behind
) AS range
LEFT JOIN LATERAL (
    SELECT event.stream_id, max(event.position) AS position
    FROM events AS event
    WHERE event.partition = %(partition)s
        -- Bounded on both sides, or the planner expects a third of the log, and reads all of it.
        AND event.position > range.looked_behind AND event.position <= shard.head
        AND starts_with(event.stream_id, %(streams)s)
    GROUP BY event.stream_id
) AS changed ON true
WHERE shard.partition = %(partition)s AND live.name = %(name)s;
