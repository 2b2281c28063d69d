-- credit_entries_older: a page of an account's lines, the latest first, behind a position when one is given.
SELECT *
FROM credit_entries_v1
WHERE account_id = %(account_id)s
    AND merchant_id = %(merchant_id)s
    AND (%(starting_after)s::bigint IS NULL OR position < %(starting_after)s)
ORDER BY position DESC
LIMIT %(limit)s;

-- consumptions_by_reference: what was burnt under a reference, among an account's last lines; two rows are enough to say that it is not one.
SELECT position
FROM (
    SELECT position, kind, reference
    FROM credit_entries_v1
    WHERE account_id = %(account_id)s AND merchant_id = %(merchant_id)s
    ORDER BY position DESC
    LIMIT %(lines_max)s
) AS latest
WHERE kind IN ('consumed', 'captured') AND reference = %(reference)s
LIMIT 2;

-- credit_entries_newer: the page before a position, the earliest first: turn it round to show it.
SELECT *
FROM credit_entries_v1
WHERE account_id = %(account_id)s AND merchant_id = %(merchant_id)s AND position > %(ending_before)s
ORDER BY position
LIMIT %(limit)s;
