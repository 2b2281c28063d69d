-- payment_by_id: one payment of a merchant with every transfer, in the order they were first heard of; or no row.
SELECT payment.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'network', network, 'transaction_id', transaction_id, 'index', index, 'address', address, 'asset', asset,
            'decimals', transfer.decimals, 'units', units::text, 'status', transfer.status, 'standing', standing,
            'confirmations', confirmations, 'block_height', block_height, 'block_hash', block_hash,
            'worth_units', worth_units::text, 'seen_at', seen_at, 'confirmed_at', confirmed_at
        ) ORDER BY first_position, network, transaction_id, index), '[]')
        FROM payment_transfers_v1 AS transfer
        WHERE transfer.payment_id = payment.payment_id
    ) AS transfers
FROM payment_status_v1 AS payment
WHERE payment_id = %(payment_id)s AND merchant_id = %(merchant_id)s;

-- payments_older: a page of a merchant's payments, newest first, behind an id when one is given.
SELECT payment.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'network', network, 'transaction_id', transaction_id, 'index', index, 'address', address, 'asset', asset,
            'decimals', transfer.decimals, 'units', units::text, 'status', transfer.status, 'standing', standing,
            'confirmations', confirmations, 'block_height', block_height, 'block_hash', block_hash,
            'worth_units', worth_units::text, 'seen_at', seen_at, 'confirmed_at', confirmed_at
        ) ORDER BY first_position, network, transaction_id, index), '[]')
        FROM payment_transfers_v1 AS transfer
        WHERE transfer.payment_id = payment.payment_id
    ) AS transfers
FROM payment_status_v1 AS payment
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR payment_id < %(starting_after)s)
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(reference)s::text IS NULL OR reference = %(reference)s)
    AND (%(credit_account_id)s::text IS NULL OR credit_account_id = %(credit_account_id)s)
ORDER BY payment_id DESC
LIMIT %(limit)s;

-- payments_newer: the page before an id, oldest first: turn it round to show it.
SELECT payment.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
            'network', network, 'transaction_id', transaction_id, 'index', index, 'address', address, 'asset', asset,
            'decimals', transfer.decimals, 'units', units::text, 'status', transfer.status, 'standing', standing,
            'confirmations', confirmations, 'block_height', block_height, 'block_hash', block_hash,
            'worth_units', worth_units::text, 'seen_at', seen_at, 'confirmed_at', confirmed_at
        ) ORDER BY first_position, network, transaction_id, index), '[]')
        FROM payment_transfers_v1 AS transfer
        WHERE transfer.payment_id = payment.payment_id
    ) AS transfers
FROM payment_status_v1 AS payment
WHERE merchant_id = %(merchant_id)s
    AND payment_id > %(ending_before)s
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(reference)s::text IS NULL OR reference = %(reference)s)
    AND (%(credit_account_id)s::text IS NULL OR credit_account_id = %(credit_account_id)s)
ORDER BY payment_id
LIMIT %(limit)s;

-- payments_to_expire: whose time is up and that are not on their way to success, over all merchants of one mode. What
-- is processing is on its way, unless the chain took back what it had succeeded by: that is waited for, and then ended.
SELECT payment.payment_id AS subject_id, payment.payment_id AS stream_id, payment.merchant_id, 'payment' AS kind,
    payment.expires_at AS due_at
FROM payment_status_v1 AS payment
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE payment.status IN ('requires_payment', 'processing')
    AND (payment.status = 'requires_payment' OR 'reorged' = ANY (payment.labels))
    AND payment.expires_at <= %(now)s
    AND merchant.livemode = %(livemode)s
    AND (payment.expires_at, payment.payment_id) > (%(after_due_at)s, %(after_subject_id)s)
ORDER BY payment.expires_at, payment.payment_id
LIMIT %(limit)s;
