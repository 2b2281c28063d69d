-- on: credit_account.granted.v1, credit_account.consumed.v1, credit_account.held.v1, credit_account.hold_captured.v1, credit_account.hold_released.v1, credit_account.grant_expired.v1, credit_account.grant_reversed.v1, credit_account.refunded.v1, credit_account.purchase_refunded.v1, credit_account.transferred_out.v1, credit_account.transferred_in.v1
-- The balance goes on from the account's last line before this batch; looked up once an account, hence MATERIALIZED.
WITH told AS (
    SELECT
        stream_id AS account_id, position, merchant_id, data,
        CASE type
            WHEN 'credit_account.granted.v1' THEN 'granted'
            WHEN 'credit_account.consumed.v1' THEN 'consumed'
            WHEN 'credit_account.held.v1' THEN 'held'
            WHEN 'credit_account.hold_captured.v1' THEN 'captured'
            WHEN 'credit_account.hold_released.v1' THEN
                CASE WHEN (data->>'expired')::boolean THEN 'hold_expired' ELSE 'released' END
            WHEN 'credit_account.grant_expired.v1' THEN 'expired'
            WHEN 'credit_account.grant_reversed.v1' THEN 'reversed'
            WHEN 'credit_account.refunded.v1' THEN 'refunded'
            WHEN 'credit_account.purchase_refunded.v1' THEN 'purchase_refunded'
            WHEN 'credit_account.transferred_out.v1' THEN 'transferred_out'
            WHEN 'credit_account.transferred_in.v1' THEN 'transferred_in'
        END AS kind,
        coalesce((data->'amount'->>'units')::numeric, 0) AS amount,
        CASE WHEN type IN ('credit_account.hold_captured.v1', 'credit_account.hold_released.v1') THEN (
            SELECT coalesce(sum((slice->>'units')::numeric), 0) FROM jsonb_array_elements(data->'slices') AS slice
        ) END AS slices,
        CASE type WHEN 'credit_account.hold_captured.v1' THEN (
            SELECT coalesce(sum((slice->>'units')::numeric), 0) FROM jsonb_array_elements(data->'released') AS slice
        ) END AS released,
        CASE WHEN type IN ('credit_account.hold_captured.v1', 'credit_account.hold_released.v1') THEN (
            SELECT coalesce(sum((slice->>'units')::numeric), 0)
            FROM jsonb_array_elements(data->'lapsed' || coalesce(data->'taken_back', '[]')) AS slice
        ) WHEN type = 'credit_account.refunded.v1' THEN (
            SELECT coalesce(sum((slice->>'units')::numeric), 0) FROM jsonb_array_elements(data->'lapsed') AS slice
        ) END AS gone
    FROM batch
),
change AS (
    SELECT
        account_id, position, merchant_id, kind,
        CASE kind
            WHEN 'captured' THEN (data->'captured'->>'units')::numeric
            WHEN 'reversed' THEN (data->'taken_back'->>'units')::numeric + (data->'owed'->>'units')::numeric
            ELSE amount
        END AS units,
        data->>'grant_id' AS grant_id, data->>'hold_id' AS hold_id, data->>'payment_id' AS payment_id,
        data->>'reference' AS reference, (data->>'consumption')::bigint AS refund_of,
        data->>'transfer_id' AS transfer_id,
        coalesce(data->>'to_account_id', data->>'from_account_id') AS other_account_id,
        CASE kind
            WHEN 'refunded' THEN data->'slices' || (data->'settled')
            WHEN 'transferred_in' THEN (
                SELECT jsonb_agg(jsonb_build_object('grant_id', part->'grant_id', 'units', part->'units'))
                FROM jsonb_array_elements(data->'grants') AS part
            )
            ELSE data->'slices'
        END AS slices,
        coalesce(data->>'granted_at', data->>'consumed_at', data->>'held_at', data->>'captured_at',
            data->>'released_at', data->>'expired_at', data->>'reversed_at', data->>'refunded_at',
            data->>'transferred_at')::timestamptz AS at,
        CASE kind
            WHEN 'granted' THEN amount - (data->'settles'->>'units')::numeric
            WHEN 'consumed' THEN (data->'overage'->>'units')::numeric - amount -- what no slice covers
            WHEN 'held' THEN -amount
            WHEN 'captured' THEN released - gone
            WHEN 'expired' THEN -amount
            WHEN 'reversed' THEN -(data->'taken_back'->>'units')::numeric
            WHEN 'refunded' THEN amount - (data->'owed'->>'units')::numeric - gone
            WHEN 'purchase_refunded' THEN -amount
            WHEN 'transferred_out' THEN -amount
            WHEN 'transferred_in' THEN amount - (data->'settles'->>'units')::numeric
            ELSE slices - gone
        END AS available,
        CASE kind
            WHEN 'held' THEN amount
            WHEN 'captured' THEN -slices - released
            WHEN 'released' THEN -slices
            WHEN 'hold_expired' THEN -slices
            ELSE 0
        END AS held
    FROM told
),
before AS MATERIALIZED (
    SELECT account_id, coalesce((
            SELECT balance_units
            FROM credit_entries_v1 AS entry
            WHERE entry.account_id = account.account_id
            ORDER BY position DESC
            LIMIT 1
        ), 0) AS balance
    FROM (SELECT DISTINCT account_id FROM change) AS account
)
INSERT INTO credit_entries_v1 (
    account_id, position, merchant_id, kind, units, available_units, held_units, balance_units, grant_id, hold_id,
    payment_id, reference, refund_of, transfer_id, other_account_id, slices, at
)
SELECT
    account_id, position, merchant_id, kind, units, available, held,
    before.balance + sum(available) OVER (PARTITION BY account_id ORDER BY position),
    grant_id, hold_id, payment_id, reference, refund_of, transfer_id, other_account_id, slices, at
FROM change
JOIN before USING (account_id);
