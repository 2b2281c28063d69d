-- on: entitlement.granted.v1, entitlement.revoked.v1
INSERT INTO entitlement_grants_v1 (
    account_id, feature, source, merchant_id, kind, meter_id, most, period, revoked, position
)
SELECT DISTINCT ON (data->>'account_id', data->>'feature', data->>'source')
    data->>'account_id', data->>'feature', data->>'source', merchant_id, data->>'kind', data->>'meter_id',
    (data->>'limit')::numeric, data->>'period', type = 'entitlement.revoked.v1', position
FROM batch
ORDER BY data->>'account_id', data->>'feature', data->>'source', position DESC
ON CONFLICT (account_id, feature, source) DO UPDATE
SET kind = excluded.kind, meter_id = excluded.meter_id, most = excluded.most, period = excluded.period,
    revoked = excluded.revoked, position = excluded.position;

-- on: usage.recorded.v1
INSERT INTO entitlement_use_v1 AS known (account_id, meter_id, day, used, position)
SELECT
    event.data->>'account_id', each->>'meter_id', ((each->>'hour')::timestamptz AT TIME ZONE 'UTC')::date,
    sum((each->>'quantity')::numeric), max(event.position)
FROM batch AS event, jsonb_array_elements(event.data->'bundles') AS bundle, jsonb_array_elements(bundle->'deltas') AS each
WHERE each->>'quantity' IS NOT NULL
GROUP BY 1, 2, 3
ON CONFLICT (account_id, meter_id, day) DO UPDATE
SET used = known.used + excluded.used, position = excluded.position;
