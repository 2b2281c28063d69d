-- A statement reads FROM batch: a row an event (position, stream_id, type, merchant_id, …, data), oldest first, of the
-- types it names. The statements run in this order, and the checkpoint moves in the same transaction.

-- on: payment.requested.v1
INSERT INTO payment_status_v1 (
    payment_id, merchant_id, status, currency, decimals, amount_units, due_units, options, credits,
    credit_account_id, reference, metadata, tolerance_ppm, invoice_id, requested_at, expires_at, position
)
SELECT
    stream_id, merchant_id, 'requires_payment', data->'amount'->>'asset', (data->'amount'->>'decimals')::smallint,
    (data->'amount'->>'units')::numeric, (data->'amount'->>'units')::numeric, data->'options',
    nullif(data->'credits', 'null'), data->>'credit_account_id', data->>'reference', data->'metadata',
    (data->>'tolerance_ppm')::integer, data->>'invoice_id', (data->>'requested_at')::timestamptz,
    (data->>'expires_at')::timestamptz, position
FROM batch;

-- on: payment.transfer_detected.v1, payment.transfer_included.v1, payment.processing.v1, payment.transfer_confirmed.v1, payment.succeeded.v1, payment.excess_recorded.v1, payment.expired.v1, payment.resolution_required.v1, payment.transfer_dropped.v1, payment.transfer_reorganised.v1, payment.canceled.v1, payment.resolved.v1, payment.application_released.v1
-- Status, totals and the rest are each taken from the last event that speaks of them; labels add up.
WITH fact AS (
    SELECT
        stream_id AS payment_id, position, type, data,
        CASE type
            WHEN 'payment.processing.v1' THEN 'processing'
            WHEN 'payment.succeeded.v1' THEN 'succeeded'
            WHEN 'payment.expired.v1' THEN 'expired'
            WHEN 'payment.canceled.v1' THEN 'canceled'
            WHEN 'payment.resolution_required.v1' THEN 'requires_action'
            ELSE data->>'status_after'
        END AS status
    FROM batch
),
state AS (
    SELECT DISTINCT ON (payment_id)
        payment_id, status, data->>'why' AS why, nullif(data->'held', 'null') AS held
    FROM fact
    WHERE status IS NOT NULL
    ORDER BY payment_id, position DESC
),
stand AS (
    SELECT DISTINCT ON (payment_id) payment_id, data->'totals' AS totals
    FROM fact
    WHERE data ? 'totals'
    ORDER BY payment_id, position DESC
),
change AS (
    SELECT
        payment_id,
        max(position) AS position,
        array_agg(data->'labels') FILTER (WHERE data ? 'labels') AS labels,
        (array_agg(data->>'transaction_id' ORDER BY position DESC) FILTER (WHERE type = 'payment.succeeded.v1'))[1]
            AS transaction_id,
        (array_agg(data ORDER BY position DESC) FILTER (WHERE type = 'payment.resolved.v1'))[1] AS resolved,
        (array_agg(data->'refund_to' ORDER BY position DESC) FILTER (WHERE data->>'choice' = 'refund'))[1] AS refund_to,
        max((data->>'succeeded_at')::timestamptz) AS succeeded_at,
        max(coalesce(data->>'expired_at', data->>'canceled_at')::timestamptz) AS ended_at
    FROM fact
    GROUP BY payment_id
)
UPDATE payment_status_v1 AS payment
SET status = coalesce(state.status, payment.status),
    why = CASE WHEN state.status IS NULL THEN payment.why ELSE state.why END,
    held = CASE WHEN state.status IS NULL THEN payment.held ELSE state.held END,
    labels = ARRAY(
        SELECT unnest(payment.labels)
        UNION
        SELECT jsonb_array_elements_text(added) FROM unnest(change.labels) AS added
        ORDER BY 1
    ),
    detected_units = coalesce((stand.totals->'detected'->>'units')::numeric, payment.detected_units),
    confirmed_units = coalesce((stand.totals->'confirmed'->>'units')::numeric, payment.confirmed_units),
    excess_units = coalesce((stand.totals->'excess'->>'units')::numeric, payment.excess_units),
    due_units = coalesce((stand.totals->'due'->>'units')::numeric, payment.due_units),
    transaction_id = coalesce(change.transaction_id, payment.transaction_id),
    resolution = coalesce(change.resolved->>'choice', payment.resolution),
    resolution_reason = coalesce(change.resolved->>'reason', payment.resolution_reason),
    refund_to = coalesce(change.refund_to, payment.refund_to),
    succeeded_at = greatest(change.succeeded_at, payment.succeeded_at),
    ended_at = greatest(change.ended_at, payment.ended_at),
    position = change.position
FROM change
LEFT JOIN state USING (payment_id)
LEFT JOIN stand USING (payment_id)
WHERE payment.payment_id = change.payment_id;

-- on: payment.transfer_detected.v1, payment.transfer_included.v1, payment.transfer_confirmed.v1, payment.transfer_dropped.v1, payment.transfer_reorganised.v1
-- What is known of a transfer is what was said last; when it was first seen stays.
INSERT INTO payment_transfers_v1 AS transfer (
    payment_id, network, transaction_id, index, merchant_id, address, asset, decimals, units, status, standing,
    confirmations, block_height, block_hash, block_at, worth_units, seen_at, confirmed_at, first_position, position
)
SELECT
    payment_id, network, transaction_id, index, merchant_id, last->'transfer'->>'address',
    last->'transfer'->'amount'->>'asset', (last->'transfer'->'amount'->>'decimals')::smallint,
    (last->'transfer'->'amount'->>'units')::numeric, status, standing, coalesce((last->>'confirmations')::bigint, 0),
    (last->'block'->>'height')::bigint, last->'block'->>'hash', (last->'block'->>'at')::timestamptz,
    worth_units, seen_at, confirmed_at, first_position, position
FROM (
    SELECT
        stream_id AS payment_id,
        data->'transfer'->>'network' AS network,
        data->'transfer'->>'transaction_id' AS transaction_id,
        (data->'transfer'->>'index')::bigint AS index,
        min(merchant_id) AS merchant_id,
        (array_agg(data ORDER BY position DESC))[1] AS last,
        (array_agg(
            CASE type
                WHEN 'payment.transfer_confirmed.v1' THEN 'confirmed'
                WHEN 'payment.transfer_dropped.v1' THEN 'dropped'
                WHEN 'payment.transfer_reorganised.v1' THEN 'reorged'
                ELSE CASE WHEN nullif(data->'block', 'null') IS NULL THEN 'detected' ELSE 'included' END
            END ORDER BY position DESC))[1] AS status,
        (array_agg(data->>'standing' ORDER BY position DESC) FILTER (WHERE data ? 'standing'))[1] AS standing,
        (array_agg((data->'worth'->>'units')::numeric ORDER BY position DESC)
            FILTER (WHERE type = 'payment.transfer_confirmed.v1'))[1] AS worth_units,
        min((data->>'seen_at')::timestamptz) AS seen_at,
        max((data->>'confirmed_at')::timestamptz) AS confirmed_at,
        min(position) AS first_position,
        max(position) AS position
    FROM batch
    GROUP BY 1, 2, 3, 4
) AS told
ON CONFLICT (payment_id, network, transaction_id, index) DO UPDATE
SET address = excluded.address,
    asset = excluded.asset,
    decimals = excluded.decimals,
    units = excluded.units,
    status = excluded.status,
    standing = coalesce(excluded.standing, transfer.standing),
    confirmations = excluded.confirmations,
    block_height = excluded.block_height,
    block_hash = excluded.block_hash,
    block_at = excluded.block_at,
    worth_units = coalesce(excluded.worth_units, transfer.worth_units),
    seen_at = least(transfer.seen_at, excluded.seen_at),
    confirmed_at = greatest(transfer.confirmed_at, excluded.confirmed_at),
    position = excluded.position;
