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
-- lapsed by now is not available, and what is owed would be paid first: `available_units` may be below zero. `room_units`
-- is what day and month (UTC) leave to be asked for, null where there is no most; what nobody paid does not count. `paid`
-- are the payments that were paid last: they are looked at again.
SELECT *
FROM (
    SELECT rule.*, account.available_units - account.owed_units - (
            SELECT coalesce(sum(remaining_units), 0)
            FROM credit_grants_v1 AS grant_row
            WHERE grant_row.account_id = account.account_id AND grant_row.is_open AND grant_row.expires_at <= %(now)s
        ) AS available_units,
        least(rule.per_day_max_units - asked.day_units, rule.per_month_max_units - asked.month_units) AS room_units,
        ARRAY(
            SELECT request.payment_id
            FROM top_up_requests_v1 AS request
            WHERE request.top_up_id = rule.top_up_id AND request.outcome = 'paid'
            ORDER BY request.number DESC
            LIMIT 3
        ) AS paid
    FROM top_ups_v1 AS rule
    JOIN merchants_v1 AS merchant USING (merchant_id)
    JOIN credit_accounts_v1 AS account USING (account_id)
    CROSS JOIN LATERAL (
        SELECT
            coalesce(sum(units) FILTER (WHERE requested_at >= date_trunc('day', %(now)s::timestamptz, 'UTC')), 0) AS day_units,
            coalesce(sum(units), 0) AS month_units
        FROM top_up_requests_v1 AS request
        WHERE request.top_up_id = rule.top_up_id
            AND request.requested_at >= date_trunc('month', %(now)s::timestamptz, 'UTC')
            AND (request.outcome IS NULL OR request.outcome = 'paid')
    ) AS asked
    WHERE rule.is_on
        AND rule.payment_id IS NULL
        AND rule.again_at <= %(now)s
        AND merchant.livemode = %(livemode)s
) AS armed
WHERE available_units < threshold_units
    AND (room_units IS NULL OR room_units >= coalesce(amount_units, 1))
    AND top_up_id > %(after)s
ORDER BY top_up_id
LIMIT %(limit)s;

-- top_ups_taken_back: rules with nothing open, of which one of the payments that were paid last is not paid any more, over
-- all merchants of one mode; of several the oldest.
SELECT rule.top_up_id, rule.account_id, rule.merchant_id, undone.payment_id
FROM top_ups_v1 AS rule
JOIN merchants_v1 AS merchant USING (merchant_id)
CROSS JOIN LATERAL (
    SELECT request.payment_id
    FROM (
        SELECT payment_id, number
        FROM top_up_requests_v1
        WHERE top_up_id = rule.top_up_id AND outcome = 'paid'
        ORDER BY number DESC
        LIMIT 3
    ) AS request
    JOIN payment_status_v1 AS payment USING (payment_id)
    WHERE payment.status <> 'succeeded'
    ORDER BY request.number
    LIMIT 1
) AS undone
WHERE rule.is_on
    AND rule.payment_id IS NULL
    AND merchant.livemode = %(livemode)s
    AND rule.top_up_id > %(after)s
ORDER BY rule.top_up_id
LIMIT %(limit)s;

-- top_ups_to_close: open requests whose payment is over, or was taken back and has had the time to come again, over all merchants of one mode.
SELECT rule.top_up_id, rule.account_id, rule.merchant_id, rule.payment_id
FROM top_ups_v1 AS rule
JOIN merchants_v1 AS merchant USING (merchant_id)
JOIN payment_status_v1 AS payment ON payment.payment_id = rule.payment_id
WHERE rule.payment_id IS NOT NULL
    AND (payment.status IN ('succeeded', 'expired', 'canceled', 'failed')
        OR (payment.status = 'requires_action' AND rule.reopened_at <= %(now)s::timestamptz - interval '1 hour'))
    AND merchant.livemode = %(livemode)s
    AND rule.top_up_id > %(after)s
ORDER BY rule.top_up_id
LIMIT %(limit)s;
