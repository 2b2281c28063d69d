-- meter_by_id: one meter of a merchant, or no row.
SELECT *
FROM meters_v1
WHERE meter_id = %(meter_id)s AND merchant_id = %(merchant_id)s;

-- meters_that_count: the definitions of a merchant's meters that are not archived, by id.
SELECT meter_id, definition
FROM meters_v1
WHERE merchant_id = %(merchant_id)s AND archived_at IS NULL
ORDER BY meter_id
LIMIT %(limit)s;

-- meters_older: a page of a merchant's meters, newest first, behind an id when one is given.
SELECT *
FROM meters_v1
WHERE merchant_id = %(merchant_id)s AND (%(starting_after)s::text IS NULL OR meter_id < %(starting_after)s)
ORDER BY meter_id DESC
LIMIT %(limit)s;

-- meters_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM meters_v1
WHERE merchant_id = %(merchant_id)s AND meter_id > %(ending_before)s
ORDER BY meter_id
LIMIT %(limit)s;
