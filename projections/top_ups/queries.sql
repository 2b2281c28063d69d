-- top_up_by_id: one rule of a merchant, or no row.
SELECT *
FROM top_ups_v1
WHERE top_up_id = %(top_up_id)s AND merchant_id = %(merchant_id)s;

-- top_up_requests_latest: the last requests of a rule, the latest first.
SELECT *
FROM top_up_requests_v1
WHERE top_up_id = %(top_up_id)s AND merchant_id = %(merchant_id)s
ORDER BY number DESC
LIMIT %(limit)s;

-- top_ups_due: rules whose account seems to run low and that have nothing open, over all merchants of one mode. What has
-- lapsed by now is not available, and what is owed would be paid first.
SELECT *
FROM (
    SELECT rule.*, greatest(0, account.available_units - account.owed_units - (
            SELECT coalesce(sum(remaining_units), 0)
            FROM credit_grants_v1 AS grant_row
            WHERE grant_row.account_id = account.account_id AND grant_row.is_open AND grant_row.expires_at <= %(now)s
        )) AS available_units
    FROM top_ups_v1 AS rule
    JOIN merchants_v1 AS merchant USING (merchant_id)
    JOIN credit_accounts_v1 AS account USING (account_id)
    WHERE rule.is_on
        AND rule.payment_id IS NULL
        AND rule.again_at <= %(now)s
        AND merchant.livemode = %(livemode)s
) AS armed
WHERE available_units < threshold_units AND top_up_id > %(after)s
ORDER BY top_up_id
LIMIT %(limit)s;

-- top_ups_to_close: open requests whose payment is over, over all merchants of one mode.
SELECT rule.top_up_id, rule.account_id, rule.merchant_id, rule.payment_id
FROM top_ups_v1 AS rule
JOIN merchants_v1 AS merchant USING (merchant_id)
JOIN payment_status_v1 AS payment ON payment.payment_id = rule.payment_id
WHERE rule.payment_id IS NOT NULL
    AND payment.status IN ('succeeded', 'expired', 'canceled', 'failed')
    AND merchant.livemode = %(livemode)s
    AND rule.top_up_id > %(after)s
ORDER BY rule.top_up_id
LIMIT %(limit)s;
