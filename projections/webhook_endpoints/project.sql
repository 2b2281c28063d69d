-- on: webhook_endpoint.created.v1
INSERT INTO webhook_endpoints_v1 (
    endpoint_id, merchant_id, url, event_types, description, livemode, created_at, position
)
SELECT
    data->>'endpoint_id', merchant_id, data->>'url', ARRAY(SELECT jsonb_array_elements_text(data->'event_types')),
    data->>'description', (data->>'livemode')::boolean, (data->>'created_at')::timestamptz, position
FROM batch;

-- on: webhook_endpoint.changed.v1
UPDATE webhook_endpoints_v1 AS endpoint
SET url = event.url, event_types = event.event_types, description = event.description, position = event.position
FROM (
    SELECT DISTINCT ON (data->>'endpoint_id')
        data->>'endpoint_id' AS endpoint_id, data->>'url' AS url, data->>'description' AS description, position,
        ARRAY(SELECT jsonb_array_elements_text(data->'event_types')) AS event_types
    FROM batch
    ORDER BY data->>'endpoint_id', position DESC
) AS event
WHERE endpoint.endpoint_id = event.endpoint_id;

-- on: webhook_endpoint.disabled.v1
UPDATE webhook_endpoints_v1 AS endpoint
SET is_enabled = false, disabled_because = event.data->>'reason', disabled_detail = event.data->>'detail',
    disabled_at = (event.data->>'disabled_at')::timestamptz, position = event.position
FROM batch AS event
WHERE endpoint.endpoint_id = event.data->>'endpoint_id';

-- on: webhook_endpoint.enabled.v1
UPDATE webhook_endpoints_v1 AS endpoint
SET is_enabled = true, disabled_because = NULL, disabled_detail = NULL, disabled_at = NULL, position = event.position
FROM batch AS event
WHERE endpoint.endpoint_id = event.data->>'endpoint_id';

-- on: webhook_endpoint.secret_rotated.v1
-- A rotation that leaves the secret before no time ends those before that as well.
UPDATE webhook_endpoints_v1 AS endpoint
SET previous_until = CASE
        WHEN event.last_until <= event.last_at THEN NULL
        ELSE greatest(CASE WHEN event.is_cut THEN NULL ELSE endpoint.previous_until END, event.until)
    END,
    position = event.position
FROM (
    SELECT endpoint_id, max(position) AS position, max(previous_until) FILTER (WHERE position >= cut_at) AS until,
        (array_agg(previous_until ORDER BY position DESC))[1] AS last_until,
        (array_agg(rotated_at ORDER BY position DESC))[1] AS last_at,
        bool_or(cut_at > 0) AS is_cut
    FROM (
        SELECT data->>'endpoint_id' AS endpoint_id, position,
            (data->>'previous_until')::timestamptz AS previous_until, (data->>'rotated_at')::timestamptz AS rotated_at,
            coalesce(max(position) FILTER (
                WHERE (data->>'previous_until')::timestamptz <= (data->>'rotated_at')::timestamptz
            ) OVER (PARTITION BY data->>'endpoint_id'), 0) AS cut_at
        FROM batch
    ) AS rotation
    GROUP BY endpoint_id
) AS event
WHERE endpoint.endpoint_id = event.endpoint_id;

-- on: webhook_endpoint.deleted.v1
DELETE FROM webhook_endpoints_v1 AS endpoint
WHERE endpoint.endpoint_id IN (SELECT data->>'endpoint_id' FROM batch);
