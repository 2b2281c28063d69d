-- Of two samples of one time the first that was recorded stays, in whatever batches they come.

-- on: price.recorded.v1
INSERT INTO price_history_v1 AS sample (price_id, at, dollars, source, position, recorded_at)
SELECT stream_id, (data->>'at')::timestamptz, (data->>'dollars')::numeric, 'quorum', position, recorded_at
FROM batch
ON CONFLICT (price_id, at) DO UPDATE
SET dollars = excluded.dollars, source = excluded.source, position = excluded.position,
    recorded_at = excluded.recorded_at
WHERE sample.position > excluded.position;

-- on: price.backfilled.v1
INSERT INTO price_history_v1 AS sample (price_id, at, dollars, source, position, recorded_at)
SELECT DISTINCT ON (stream_id, (said->>'at')::timestamptz)
    stream_id, (said->>'at')::timestamptz, (said->>'dollars')::numeric, data->>'source', position, recorded_at
FROM batch, jsonb_array_elements(data->'samples') AS said
ORDER BY stream_id, (said->>'at')::timestamptz, position
ON CONFLICT (price_id, at) DO UPDATE
SET dollars = excluded.dollars, source = excluded.source, position = excluded.position,
    recorded_at = excluded.recorded_at
WHERE sample.position > excluded.position;

-- on: price.deviation_detected.v1, price.deviation_ended.v1, price.source_went_stale.v1, price.source_returned.v1
INSERT INTO price_history_alerts_v1 (price_id, position, symbol, type, at, facts)
SELECT stream_id, position, data->>'symbol', type, (data->>'at')::timestamptz, data
FROM batch;
