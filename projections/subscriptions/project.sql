-- on: subscription.started.v1
INSERT INTO subscriptions_v1 (
    subscription_id, merchant_id, credit_account_id, status, next_at, plan_id, plan, quantity, starts_at, trial_ends_at,
    carried, reference, bill_to, started_at, position
)
SELECT
    stream_id, merchant_id, data->>'credit_account_id', data->>'status', (data->>'next_at')::timestamptz,
    data->'plan'->>'plan_id', data->'plan', (data->>'quantity')::integer, (data->>'starts_at')::timestamptz,
    (data->>'trial_ends_at')::timestamptz, '[]', data->>'reference', nullif(data->'bill_to', 'null'),
    (data->>'started_at')::timestamptz, position
FROM batch;

-- on: subscription.plan_change_scheduled.v1, subscription.plan_changed.v1, subscription.renewed.v1
-- What was scheduled is not any more when the plan has changed, or when it is what there is already; the quantity alone
-- may change. It is compared with the plan that was changed last: that of these events, or else that of the row.
UPDATE subscriptions_v1 AS subscription
SET plan_id = coalesce(told.plan->>'plan_id', subscription.plan_id),
    plan = coalesce(told.plan, subscription.plan),
    quantity = coalesce(told.quantity, subscription.quantity),
    scheduled_plan = nullif(told.scheduled->'plan', coalesce(told.plan, subscription.plan)),
    scheduled_quantity = (told.scheduled->>'quantity')::integer
FROM (
    SELECT stream_id,
        (array_agg(data->'plan' ORDER BY position DESC) FILTER (WHERE type <> 'subscription.plan_change_scheduled.v1'))[1]
            AS plan,
        (array_agg((data->>'quantity')::integer ORDER BY position DESC)
            FILTER (WHERE type <> 'subscription.plan_change_scheduled.v1'))[1] AS quantity,
        (array_agg(CASE type WHEN 'subscription.plan_change_scheduled.v1' THEN data END ORDER BY position DESC))[1]
            AS scheduled
    FROM batch
    GROUP BY stream_id
) AS told
WHERE subscription.subscription_id = told.stream_id;

-- on: subscription.renewed.v1, subscription.plan_changed.v1, subscription.resumed.v1
UPDATE subscriptions_v1 AS subscription
SET period = event.period
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, data->'period' AS period
    FROM batch
    WHERE data->'period' <> 'null'
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.renewed.v1, subscription.plan_changed.v1, subscription.canceled.v1, subscription.closed.v1
-- Not every one of them has a bill.
UPDATE subscriptions_v1 AS subscription
SET carried = told.carried, latest_invoice_id = coalesce(told.invoice_id, subscription.latest_invoice_id)
FROM (
    SELECT stream_id,
        (array_agg(data->'carried' ORDER BY position DESC))[1] AS carried,
        (array_agg(data->'bill'->>'invoice_id' ORDER BY position DESC) FILTER (WHERE data->'bill' <> 'null'))[1]
            AS invoice_id
    FROM batch
    GROUP BY stream_id
) AS told
WHERE subscription.subscription_id = told.stream_id;

-- on: subscription.paused.v1, subscription.resumed.v1
UPDATE subscriptions_v1 AS subscription
SET resumes_at = event.resumes_at
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, (data->>'resumes_at')::timestamptz AS resumes_at
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.past_due.v1, subscription.recovered.v1, subscription.resumed.v1
UPDATE subscriptions_v1 AS subscription
SET past_due_at = event.past_due_since
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, (data->>'past_due_since')::timestamptz AS past_due_since
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.cancel_scheduled.v1, subscription.cancel_withdrawn.v1
UPDATE subscriptions_v1 AS subscription
SET ends_with_period = event.is_scheduled
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, type = 'subscription.cancel_scheduled.v1' AS is_scheduled
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.canceled.v1
UPDATE subscriptions_v1 AS subscription
SET canceled_at = (event.data->>'canceled_at')::timestamptz, cancel_reason = event.data->>'reason'
FROM batch AS event
WHERE subscription.subscription_id = event.stream_id;

-- on: subscription.trial_started.v1, subscription.activated.v1, subscription.renewed.v1, subscription.credits_allotted.v1, subscription.plan_change_scheduled.v1, subscription.plan_changed.v1, subscription.paused.v1, subscription.resumed.v1, subscription.cancel_scheduled.v1, subscription.cancel_withdrawn.v1, subscription.canceled.v1, subscription.closed.v1, subscription.past_due.v1, subscription.recovered.v1
-- Each says what it leaves: the status, and when time alone changes something next.
UPDATE subscriptions_v1 AS subscription
SET status = event.status, next_at = event.next_at, position = event.position
FROM (
    SELECT DISTINCT ON (stream_id)
        stream_id, position, data->>'status' AS status, (data->>'next_at')::timestamptz AS next_at
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE subscription.subscription_id = event.stream_id;
