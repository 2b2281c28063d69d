-- subscription_by_id: one subscription of a merchant, or no row.
SELECT *
FROM subscriptions_v1
WHERE subscription_id = %(subscription_id)s AND merchant_id = %(merchant_id)s;

-- subscriptions_older: a page of a merchant's subscriptions, newest first, behind an id when one is given.
SELECT *
FROM subscriptions_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR subscription_id < %(starting_after)s)
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(credit_account_id)s::text IS NULL OR credit_account_id = %(credit_account_id)s)
    AND (%(plan_id)s::text IS NULL OR plan_id = %(plan_id)s)
ORDER BY subscription_id DESC
LIMIT %(limit)s;

-- subscriptions_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM subscriptions_v1
WHERE merchant_id = %(merchant_id)s
    AND subscription_id > %(ending_before)s
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(credit_account_id)s::text IS NULL OR credit_account_id = %(credit_account_id)s)
    AND (%(plan_id)s::text IS NULL OR plan_id = %(plan_id)s)
ORDER BY subscription_id
LIMIT %(limit)s;

-- subscriptions_due: of which time changes something by now, over all merchants of one mode, what waits longest first.
SELECT subscription.subscription_id, subscription.merchant_id, subscription.next_at
FROM subscriptions_v1 AS subscription
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE subscription.next_at <= %(now)s
    AND merchant.livemode = %(livemode)s
    AND (
        %(after_due_at)s::timestamptz IS NULL
        OR (subscription.next_at, subscription.subscription_id) > (%(after_due_at)s, %(after_subscription_id)s)
    )
ORDER BY subscription.next_at, subscription.subscription_id
LIMIT %(limit)s;
