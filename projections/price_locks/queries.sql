-- price_lock_by_id: one lock of a merchant, or no row.
SELECT *
FROM price_locks_v1
WHERE lock_id = %(lock_id)s AND merchant_id = %(merchant_id)s;

-- price_locks_older: a page of a merchant's locks, newest first, behind an id when one is given.
SELECT *
FROM price_locks_v1
WHERE merchant_id = %(merchant_id)s AND (%(starting_after)s::text IS NULL OR lock_id < %(starting_after)s)
ORDER BY lock_id DESC
LIMIT %(limit)s;

-- price_locks_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM price_locks_v1
WHERE merchant_id = %(merchant_id)s AND lock_id > %(ending_before)s
ORDER BY lock_id
LIMIT %(limit)s;

-- price_locks_to_expire: whose time is up and that nobody used, over all merchants of one mode.
SELECT lock.lock_id AS subject_id, lock.lock_id AS stream_id, lock.merchant_id, 'price_lock' AS kind,
    lock.expires_at AS due_at
FROM price_locks_v1 AS lock
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE lock.status = 'locked'
    AND lock.expires_at <= %(now)s
    AND merchant.livemode = %(livemode)s
    AND (lock.expires_at, lock.lock_id) > (%(after_due_at)s, %(after_subject_id)s)
ORDER BY lock.expires_at, lock.lock_id
LIMIT %(limit)s;
