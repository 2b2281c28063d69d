-- on: usage.recorded.v1
WITH delta AS (
    SELECT
        event.data->>'account_id' AS account_id, event.merchant_id, event.position,
        date_trunc('hour', (event.data->>'recorded_at')::timestamptz, 'UTC') AS recorded_hour,
        each->>'meter_id' AS meter_id, each->'group' AS grouped, (each->>'hour')::timestamptz AS hour,
        (each->>'count')::bigint AS items, (each->>'sum')::numeric AS sum,
        (each->>'minimum')::numeric AS minimum, (each->>'maximum')::numeric AS maximum,
        (each->>'latest')::numeric AS latest, (each->>'latest_at')::timestamptz AS latest_at,
        (bundle->>'number')::integer AS number
    FROM batch AS event, jsonb_array_elements(event.data->'bundles') AS bundle, jsonb_array_elements(bundle->'deltas') AS each
)
INSERT INTO usage_hours_v1 AS known (
    account_id, meter_id, grouped, hour, recorded_hour, merchant_id, items, sum, minimum, maximum, latest, latest_at, position
)
SELECT
    account_id, meter_id, grouped, hour, recorded_hour, min(merchant_id), sum(items), sum(sum), min(minimum), max(maximum),
    (array_agg(latest ORDER BY latest_at DESC, position DESC, number DESC))[1], max(latest_at), max(position)
FROM delta
GROUP BY account_id, meter_id, grouped, hour, recorded_hour
ON CONFLICT (account_id, meter_id, hour, recorded_hour, grouped) DO UPDATE
SET items = known.items + excluded.items, sum = known.sum + excluded.sum,
    minimum = least(known.minimum, excluded.minimum), maximum = greatest(known.maximum, excluded.maximum),
    latest = CASE WHEN excluded.latest_at >= known.latest_at THEN excluded.latest ELSE known.latest END,
    latest_at = greatest(known.latest_at, excluded.latest_at), position = excluded.position;

-- on: usage.recorded.v1
INSERT INTO usage_values_v1 (account_id, meter_id, grouped, hour, value, recorded_hour)
SELECT DISTINCT
    event.data->>'account_id', each->>'meter_id', each->'group', (each->>'hour')::timestamptz, hashed,
    date_trunc('hour', (event.data->>'recorded_at')::timestamptz, 'UTC')
FROM batch AS event, jsonb_array_elements(event.data->'bundles') AS bundle, jsonb_array_elements(bundle->'deltas') AS each,
    jsonb_array_elements_text(each->'distinct') AS hashes (hashed)
ON CONFLICT DO NOTHING;

-- on: usage.recorded.v1
INSERT INTO usage_samples_v1 AS known (account_id, meter_id, grouped, at, position, recorded_hour, level)
SELECT DISTINCT ON (event.data->>'account_id', each->>'meter_id', (sample->>'at')::timestamptz, each->'group', event.position)
    event.data->>'account_id', each->>'meter_id', each->'group', (sample->>'at')::timestamptz, event.position,
    date_trunc('hour', (event.data->>'recorded_at')::timestamptz, 'UTC'), (sample->>'value')::numeric
FROM batch AS event, jsonb_array_elements(event.data->'bundles') WITH ORDINALITY AS bundles (bundle, number),
    jsonb_array_elements(bundle->'deltas') AS each,
    jsonb_array_elements(each->'samples') WITH ORDINALITY AS samples (sample, place)
ORDER BY 1, 2, 4, 3, 5, number DESC, place DESC;

-- on: usage.limit_set.v1, usage.limit_removed.v1
INSERT INTO usage_limits_v1 (account_id, meter_id, period, merchant_id, soft, hard, removed, set_at, position)
SELECT DISTINCT ON (data->>'account_id', data->>'meter_id', data->>'period')
    data->>'account_id', data->>'meter_id', data->>'period', merchant_id, (data->>'soft')::numeric, (data->>'hard')::numeric,
    type = 'usage.limit_removed.v1', coalesce(data->>'set_at', data->>'removed_at')::timestamptz, position
FROM batch
ORDER BY data->>'account_id', data->>'meter_id', data->>'period', position DESC
ON CONFLICT (account_id, meter_id, period) DO UPDATE
SET soft = excluded.soft, hard = excluded.hard, removed = excluded.removed, set_at = excluded.set_at, position = excluded.position;

-- on: usage.threshold_reached.v1
INSERT INTO usage_thresholds_v1 (
    account_id, position, merchant_id, meter_id, period, period_start, bound, percent, most, used, reached_at
)
SELECT
    data->>'account_id', position, merchant_id, data->>'meter_id', data->>'period', (data->>'period_start')::timestamptz,
    data->>'bound', (data->>'percent')::smallint, (data->>'limit')::numeric, (data->>'used')::numeric,
    (data->>'reached_at')::timestamptz
FROM batch;
