-- on: price_lock.locked.v1
-- A lock that was made for a payment is used from the start.
INSERT INTO price_locks_v1 (
    lock_id, merchant_id, status, base, base_decimals, quote, quote_decimals, price, quotes, pricing, payment_id,
    locked_at, expires_at, used_at, position
)
SELECT
    stream_id, merchant_id, CASE WHEN data->>'payment_id' IS NULL THEN 'locked' ELSE 'used' END,
    data->'rate'->'base'->>'code', (data->'rate'->'base'->>'decimals')::smallint,
    data->'rate'->'quote'->>'code', (data->'rate'->'quote'->>'decimals')::smallint,
    (data->'rate'->>'price')::numeric, data->'quotes', nullif(data->'pricing', 'null'), data->>'payment_id',
    (data->>'locked_at')::timestamptz, (data->>'expires_at')::timestamptz,
    CASE WHEN data->>'payment_id' IS NOT NULL THEN (data->>'locked_at')::timestamptz END, position
FROM batch;

-- on: price_lock.used.v1
UPDATE price_locks_v1 AS lock
SET status = 'used', payment_id = event.data->>'payment_id', used_at = (event.data->>'used_at')::timestamptz,
    position = event.position
FROM batch AS event
WHERE lock.merchant_id = event.merchant_id AND lock.lock_id = event.stream_id;

-- on: price_lock.expired.v1
UPDATE price_locks_v1 AS lock
SET status = 'expired', expired_at = (event.data->>'expired_at')::timestamptz, position = event.position
FROM batch AS event
WHERE lock.merchant_id = event.merchant_id AND lock.lock_id = event.stream_id;
