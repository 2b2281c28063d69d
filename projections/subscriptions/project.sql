-- on: subscription.started.v1
INSERT INTO subscriptions_v1 (
    subscription_id, merchant_id, credit_account_id, status, next_at, plan_id, plan, quantity, starts_at, trial_ends_at,
    carried, reference, started_at, position
)
SELECT
    stream_id, merchant_id, data->>'credit_account_id', data->>'status', (data->>'next_at')::timestamptz,
    data->'plan'->>'plan_id', data->'plan', (data->>'quantity')::integer, (data->>'starts_at')::timestamptz,
    (data->>'trial_ends_at')::timestamptz, '[]', data->>'reference', (data->>'started_at')::timestamptz, position
FROM batch;

-- on: subscription.trial_started.v1, subscription.activated.v1, subscription.credits_allotted.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.renewed.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    plan_id = event.data->'plan'->>'plan_id', plan = event.data->'plan',
    quantity = (event.data->>'quantity')::integer, period = event.data->'period', carried = event.data->'carried',
    scheduled_plan = NULL, scheduled_quantity = NULL,
    latest_invoice_id = coalesce(event.data->'bill'->>'invoice_id', subscription.latest_invoice_id)
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.plan_change_scheduled.v1
-- The plan and the quantity it has mean that nothing is scheduled any more; the quantity alone may change.
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    scheduled_plan = nullif(event.data->'plan', subscription.plan),
    scheduled_quantity = (event.data->>'quantity')::integer
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.plan_changed.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    plan_id = event.data->'plan'->>'plan_id', plan = event.data->'plan',
    quantity = (event.data->>'quantity')::integer, carried = event.data->'carried',
    period = coalesce(nullif(event.data->'period', 'null'), subscription.period),
    scheduled_plan = NULL, scheduled_quantity = NULL,
    latest_invoice_id = coalesce(event.data->'bill'->>'invoice_id', subscription.latest_invoice_id)
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.paused.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    resumes_at = (event.data->>'resumes_at')::timestamptz
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.resumed.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    period = event.data->'period', resumes_at = NULL,
    past_due_at = CASE event.status WHEN 'past_due' THEN (event.data->>'resumed_at')::timestamptz END
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.cancel_scheduled.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    ends_with_period = true
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.cancel_withdrawn.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    ends_with_period = false
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.canceled.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    canceled_at = (event.data->>'canceled_at')::timestamptz, cancel_reason = event.data->>'reason',
    carried = event.data->'carried',
    latest_invoice_id = coalesce(event.data->'bill'->>'invoice_id', subscription.latest_invoice_id)
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.past_due.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    past_due_at = coalesce(subscription.past_due_at, (event.data->>'past_due_at')::timestamptz)
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.recovered.v1
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position,
    past_due_at = CASE event.status WHEN 'past_due' THEN subscription.past_due_at END
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at, data
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;
