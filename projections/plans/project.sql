-- on: plan.created.v1
INSERT INTO plans_v1 (plan_id, merchant_id, code, plan_version, terms, created_at, position)
SELECT stream_id, merchant_id, data->>'code', (data->>'version')::integer, data->'terms',
    (data->>'created_at')::timestamptz, position
FROM batch;

-- on: plan.revised.v1
UPDATE plans_v1 AS plan
SET plan_version = event.plan_version, terms = event.terms, revised_at = event.revised_at, position = event.position
FROM (
    SELECT DISTINCT ON (stream_id)
        stream_id, (data->>'version')::integer AS plan_version, data->'terms' AS terms,
        (data->>'revised_at')::timestamptz AS revised_at, position
    FROM batch
    ORDER BY stream_id, position DESC
) AS event
WHERE plan.plan_id = event.stream_id;

-- on: plan.archived.v1
UPDATE plans_v1 AS plan
SET archived_at = (event.data->>'archived_at')::timestamptz, position = event.position
FROM batch AS event
WHERE plan.plan_id = event.stream_id;
