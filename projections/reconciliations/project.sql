-- on: reconciliation.completed.v1
INSERT INTO reconciliations_v1 (
    reconciliation_id, merchant_id, network, chain_id, first_height, height, drift, found, opened, settled, completed,
    completed_at, position
)
SELECT
    stream_id, merchant_id, data->>'network', data->>'chain_id', (data->>'first_height')::bigint,
    (data->'pin'->>'height')::bigint,
    EXISTS (
        SELECT 1
        FROM jsonb_array_elements(data->'positions') AS asset
        WHERE (asset->>'chain_opening_units')::numeric + (asset->>'chain_in_units')::numeric
                - (asset->>'chain_out_units')::numeric - (asset->>'chain_fee_units')::numeric
            <> (asset->>'ledger_opening_units')::numeric + (asset->>'ledger_in_units')::numeric
                - (asset->>'ledger_out_units')::numeric - (asset->>'ledger_fee_units')::numeric),
    (data->>'found')::bigint, (data->>'opened')::bigint, (data->>'settled')::bigint, data,
    (data->>'completed_at')::timestamptz, position
FROM batch;

-- on: reconciliation.exception_opened.v1
INSERT INTO reconciliation_exceptions_v1 (
    exception_id, reconciliation_id, merchant_id, network, chain_id, kind, subject, since, opened, opened_at, position
)
SELECT
    data->>'exception_id', stream_id, merchant_id, data->>'network', data->>'chain_id', data->>'kind',
    data->>'subject', (data->>'since')::timestamptz, data, (data->>'opened_at')::timestamptz, position
FROM batch;

-- on: reconciliation.exception_resolved.v1
UPDATE reconciliation_exceptions_v1 AS exception
SET settled = data->>'settled', reason = data->>'reason', resolved_at = (data->>'resolved_at')::timestamptz,
    resolved_position = batch.position
FROM batch
WHERE exception.exception_id = data->>'exception_id';
