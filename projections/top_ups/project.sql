-- on: top_up.rule_set.v1
-- Set again, a rule keeps its count and its open request.
INSERT INTO top_ups_v1 AS rule (
    top_up_id, account_id, merchant_id, is_on, threshold_units, target_units, amount_units, currency, pay_with,
    per_day_max_units, per_month_max_units, cooldown_seconds, expires_in_seconds, again_at, set_at, position
)
SELECT DISTINCT ON (stream_id)
    stream_id, data->>'account_id', merchant_id, true, (data->'threshold'->>'units')::numeric,
    (data->'target'->>'units')::numeric, (data->'amount'->>'units')::numeric, data->>'currency', data->'pay_with',
    (data->'per_day_max'->>'units')::numeric, (data->'per_month_max'->>'units')::numeric,
    (data->>'cooldown_seconds')::integer, (data->>'expires_in_seconds')::integer, (data->>'set_at')::timestamptz,
    (data->>'set_at')::timestamptz, position
FROM batch
ORDER BY stream_id, position DESC
ON CONFLICT (top_up_id) DO UPDATE
SET is_on = true,
    threshold_units = excluded.threshold_units,
    target_units = excluded.target_units,
    amount_units = excluded.amount_units,
    currency = excluded.currency,
    pay_with = excluded.pay_with,
    per_day_max_units = excluded.per_day_max_units,
    per_month_max_units = excluded.per_month_max_units,
    cooldown_seconds = excluded.cooldown_seconds,
    expires_in_seconds = excluded.expires_in_seconds,
    set_at = excluded.set_at,
    position = excluded.position;

-- on: top_up.rule_removed.v1
UPDATE top_ups_v1 AS rule
SET is_on = false, position = event.position
FROM (SELECT stream_id, max(position) AS position FROM batch GROUP BY 1) AS event
WHERE rule.top_up_id = event.stream_id;

-- on: top_up.requested.v1
INSERT INTO top_up_requests_v1 (
    payment_id, top_up_id, account_id, merchant_id, number, units, due, requested_at, position
)
SELECT
    data->>'payment_id', stream_id, data->>'account_id', merchant_id, (data->>'number')::integer,
    (data->'amount'->>'units')::numeric, data->'due', (data->>'requested_at')::timestamptz, position
FROM batch;

-- on: top_up.requested.v1
UPDATE top_ups_v1 AS rule
SET requests = event.number, payment_id = event.payment_id, again_at = event.again_at, refused_code = NULL,
    refused_detail = NULL, position = event.position
FROM (
    SELECT DISTINCT ON (stream_id)
        stream_id, (data->>'number')::integer AS number, data->>'payment_id' AS payment_id,
        (data->>'again_at')::timestamptz AS again_at, position
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE rule.top_up_id = event.stream_id;

-- on: top_up.closed.v1
UPDATE top_up_requests_v1 AS request
SET outcome = event.data->>'outcome', closed_at = (event.data->>'closed_at')::timestamptz, position = event.position
FROM batch AS event
WHERE request.payment_id = event.data->>'payment_id';

-- on: top_up.closed.v1
UPDATE top_ups_v1 AS rule
SET payment_id = NULL, reopened_at = NULL, again_at = event.again_at, position = event.position
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, (data->>'again_at')::timestamptz AS again_at, position
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE rule.top_up_id = event.stream_id;

-- on: top_up.reopened.v1
UPDATE top_up_requests_v1 AS request
SET outcome = NULL, closed_at = NULL, position = event.position
FROM batch AS event
WHERE request.payment_id = event.data->>'payment_id';

-- on: top_up.reopened.v1
UPDATE top_ups_v1 AS rule
SET payment_id = event.payment_id, reopened_at = event.reopened_at, position = event.position
FROM (
    SELECT DISTINCT ON (stream_id)
        stream_id, data->>'payment_id' AS payment_id, (data->>'reopened_at')::timestamptz AS reopened_at, position
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE rule.top_up_id = event.stream_id;

-- on: top_up.refused.v1
UPDATE top_ups_v1 AS rule
SET again_at = event.again_at, refused_code = event.code, refused_detail = event.detail, position = event.position
FROM (
    SELECT DISTINCT ON (stream_id)
        stream_id, (data->>'again_at')::timestamptz AS again_at, data->>'code' AS code, data->>'detail' AS detail, position
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE rule.top_up_id = event.stream_id;

-- on: top_up.alarmed.v1
UPDATE top_ups_v1 AS rule
SET alarmed_at = event.alarmed_at, position = event.position
FROM (
    SELECT stream_id, max((data->>'alarmed_at')::timestamptz) AS alarmed_at, max(position) AS position
    FROM batch
    GROUP BY 1
) AS event
WHERE rule.top_up_id = event.stream_id;
