-- on: unclaimed_transfer.received.v1, unclaimed_transfer.confirmed.v1, unclaimed_transfer.assigned.v1, unclaimed_transfer.given_up.v1, unclaimed_transfer.dropped.v1, unclaimed_transfer.reorganised.v1
-- Each field is taken from the last event that speaks of it.
INSERT INTO unclaimed_transfers_v1 AS unclaimed (
    unclaimed_id, merchant_id, chain_id, network, transaction_id, index, address, mark, asset, decimals, units, status,
    why, confirmations, block_height, payment_id, payment_merchant_id, reason, seen_at, confirmed_at, decided_at,
    first_position, position
)
SELECT
    unclaimed_id, merchant_id, chain_id, last->>'network', last->>'transaction_id',
    (last->>'index')::bigint, last->>'address', last->>'mark', last->'amount'->>'asset',
    (last->'amount'->>'decimals')::smallint, (last->'amount'->>'units')::numeric, status, why,
    confirmations, block_height, payment_id, payment_merchant_id, reason,
    seen_at, confirmed_at, decided_at, first_position, position
FROM (
    SELECT
        stream_id AS unclaimed_id,
        min(merchant_id) AS merchant_id,
        (array_agg(data->'transfer' ORDER BY position DESC))[1] AS last,
        (array_agg(
            CASE type
                WHEN 'unclaimed_transfer.received.v1' THEN 'received'
                WHEN 'unclaimed_transfer.confirmed.v1' THEN 'confirmed'
                WHEN 'unclaimed_transfer.assigned.v1' THEN 'assigned'
                WHEN 'unclaimed_transfer.dropped.v1' THEN 'dropped'
                WHEN 'unclaimed_transfer.reorganised.v1' THEN 'reorged'
                ELSE CASE data->>'choice' WHEN 'refund' THEN 'refunded' ELSE 'written_off' END
            END ORDER BY position DESC))[1] AS status,
        (array_agg(data->>'chain_id' ORDER BY position DESC) FILTER (WHERE data ? 'chain_id'))[1] AS chain_id,
        (array_agg(data->>'why' ORDER BY position DESC) FILTER (WHERE data ? 'why'))[1] AS why,
        (array_agg((data->>'confirmations')::bigint ORDER BY position DESC)
            FILTER (WHERE data ? 'confirmations'))[1] AS confirmations,
        (array_agg((data->'block'->>'height')::bigint ORDER BY position DESC)
            FILTER (WHERE data->'block'->>'height' IS NOT NULL))[1] AS block_height,
        (array_agg(data->>'payment_id' ORDER BY position DESC)
            FILTER (WHERE type = 'unclaimed_transfer.assigned.v1'))[1] AS payment_id,
        (array_agg(data->>'payment_merchant_id' ORDER BY position DESC)
            FILTER (WHERE type = 'unclaimed_transfer.assigned.v1'))[1] AS payment_merchant_id,
        (array_agg(data->>'reason' ORDER BY position DESC) FILTER (WHERE data ? 'reason'))[1] AS reason,
        (array_agg((data->>'seen_at')::timestamptz ORDER BY position DESC)
            FILTER (WHERE type = 'unclaimed_transfer.received.v1'))[1] AS seen_at,
        max((data->>'confirmed_at')::timestamptz) AS confirmed_at,
        max(coalesce(data->>'assigned_at', data->>'given_up_at')::timestamptz) AS decided_at,
        min(position) AS first_position,
        max(position) AS position
    FROM batch
    GROUP BY 1
) AS told
ON CONFLICT (unclaimed_id) DO UPDATE
SET chain_id = coalesce(excluded.chain_id, unclaimed.chain_id),
    address = excluded.address,
    mark = excluded.mark,
    asset = excluded.asset,
    decimals = excluded.decimals,
    units = excluded.units,
    status = excluded.status,
    why = coalesce(excluded.why, unclaimed.why),
    confirmations = coalesce(excluded.confirmations, unclaimed.confirmations),
    block_height = coalesce(excluded.block_height, unclaimed.block_height),
    payment_id = coalesce(excluded.payment_id, unclaimed.payment_id),
    payment_merchant_id = coalesce(excluded.payment_merchant_id, unclaimed.payment_merchant_id),
    reason = coalesce(excluded.reason, unclaimed.reason),
    seen_at = coalesce(excluded.seen_at, unclaimed.seen_at),
    confirmed_at = greatest(excluded.confirmed_at, unclaimed.confirmed_at),
    decided_at = greatest(excluded.decided_at, unclaimed.decided_at),
    position = excluded.position;
