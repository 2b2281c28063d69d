-- audit_older: a page of what happened at a merchant, the latest first, behind a position when one is given.
SELECT *
FROM audit_trail_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::bigint IS NULL OR position < %(starting_after)s)
    AND (%(stream_id)s::text IS NULL OR stream_id = %(stream_id)s)
    AND (%(type)s::text IS NULL OR type = %(type)s)
ORDER BY position DESC
LIMIT %(limit)s;

-- audit_newer: the page before a position, the earliest first: turn it round to show it.
SELECT *
FROM audit_trail_v1
WHERE merchant_id = %(merchant_id)s
    AND position > %(ending_before)s
    AND (%(stream_id)s::text IS NULL OR stream_id = %(stream_id)s)
    AND (%(type)s::text IS NULL OR type = %(type)s)
ORDER BY position
LIMIT %(limit)s;
