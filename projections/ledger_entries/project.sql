-- on: *
-- An event says when it happened in a field named after itself, as in `given_up_at`, `succeeded_at` or `marked_at`. What
-- a chain brought came when its block was made, however late that was booked; and what a day has earned it has earned by its
-- end.
INSERT INTO ledger_entries_v1 (
    merchant_id, position, line, debit, credit, asset, decimals, units, stream_id, type, at, recorded_at
)
SELECT
    merchant_id, position, line, posting->>'debit', posting->>'credit', posting->'amount'->>'asset',
    (posting->'amount'->>'decimals')::smallint, (posting->'amount'->>'units')::numeric, stream_id, type,
    coalesce(
        CASE
            WHEN type IN ('payment.transfer_confirmed.v1', 'unclaimed_transfer.confirmed.v1')
                THEN (data->'block'->>'at')::timestamptz
            WHEN type = 'payment.revenue_recognised.v1'
                THEN ((data->>'day')::date + 1)::timestamp AT TIME ZONE 'UTC' - interval '1 microsecond'
        END,
        (data->>(split_part(type, '.', 2) || '_at'))::timestamptz,
        (data->>(substring(split_part(type, '.', 2) FROM '[a-z]+$') || '_at'))::timestamptz,
        (data->>(substring(split_part(type, '.', 2) FROM '^[a-z]+') || '_at'))::timestamptz,
        recorded_at
    ),
    recorded_at
FROM batch,
    jsonb_array_elements(data->'postings') WITH ORDINALITY AS made (posting, line);
