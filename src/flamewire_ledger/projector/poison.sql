-- park: events that failed, with their cause, and events that wait behind them, without one.
INSERT INTO dead_letters (
    consumer, generation, partition, position, key, stream_id, type, cause, attempts, tried_at
)
SELECT %(consumer)s, %(generation)s, %(partition)s, letter.position, letter.key, letter.stream_id, letter.type,
    letter.cause, CASE WHEN letter.cause IS NULL THEN 0 ELSE 1 END,
    CASE WHEN letter.cause IS NULL THEN NULL ELSE clock_timestamp() END
FROM unnest(
    %(positions)s::bigint[], %(keys)s::text[], %(streams)s::text[], %(types)s::text[], %(causes)s::text[]
) AS letter (position, key, stream_id, type, cause)
ON CONFLICT (consumer, generation, partition, position) DO UPDATE
SET cause = excluded.cause, attempts = dead_letters.attempts + excluded.attempts, tried_at = excluded.tried_at;
