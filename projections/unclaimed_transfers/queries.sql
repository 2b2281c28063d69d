-- unclaimed_transfer_by_id: one transfer that nobody claimed, or no row.
SELECT *
FROM unclaimed_transfers_v1
WHERE merchant_id = %(merchant_id)s AND unclaimed_id = %(unclaimed_id)s;

-- unclaimed_transfers_older: a page of them, the last to be seen first, behind an id when one is given.
SELECT *
FROM unclaimed_transfers_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR first_position < (
        SELECT first_position FROM unclaimed_transfers_v1 WHERE unclaimed_id = %(starting_after)s::text))
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(network)s::text IS NULL OR network = %(network)s)
    AND (%(payment_id)s::text IS NULL OR payment_id = %(payment_id)s)
ORDER BY first_position DESC
LIMIT %(limit)s;

-- unclaimed_transfers_newer: the page before an id, the first to be seen first: turn it round to show it.
SELECT *
FROM unclaimed_transfers_v1
WHERE merchant_id = %(merchant_id)s
    AND first_position > (
        SELECT first_position FROM unclaimed_transfers_v1 WHERE unclaimed_id = %(ending_before)s::text)
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(network)s::text IS NULL OR network = %(network)s)
    AND (%(payment_id)s::text IS NULL OR payment_id = %(payment_id)s)
ORDER BY first_position
LIMIT %(limit)s;

-- unclaimed_transfers_waiting: how many wait for a person on each chain, over all merchants.
SELECT chain_id, count(*) AS count
FROM unclaimed_transfers_v1
WHERE status IN ('received', 'confirmed')
GROUP BY chain_id
ORDER BY chain_id;
