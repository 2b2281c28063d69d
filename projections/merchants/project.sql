-- on: merchant.registered.v1
INSERT INTO merchants_v1 (merchant_id, name, livemode, registered_at, position)
SELECT stream_id, data->>'name', (data->>'livemode')::boolean, (data->>'registered_at')::timestamptz, position
FROM batch;

-- on: merchant.api_key_created.v1
INSERT INTO api_keys_v1 (
    key_id, merchant_id, name, livemode, secret_sha256, last_four, scopes, created_at, position
)
SELECT
    data->>'key_id', stream_id, data->>'name', (data->>'livemode')::boolean, data->>'secret_sha256', data->>'last_four',
    ARRAY(SELECT jsonb_array_elements_text(data->'scopes')), (data->>'created_at')::timestamptz, position
FROM batch;

-- on: merchant.api_key_revoked.v1
UPDATE api_keys_v1 AS key
SET revoked_at = (event.data->>'revoked_at')::timestamptz, position = event.position
FROM batch AS event
WHERE key.key_id = event.data->>'key_id';

-- on: merchant.seller_described.v1
-- What was said last is true.
UPDATE merchants_v1 AS merchant
SET seller = told.seller, position = told.position
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, data->'seller' AS seller, position
    FROM batch
    ORDER BY stream_id, position DESC
) AS told
WHERE merchant.merchant_id = told.stream_id;
