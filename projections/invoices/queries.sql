-- invoice_by_id: one invoice of a merchant, or no row.
SELECT *
FROM invoices_v1
WHERE invoice_id = %(invoice_id)s AND merchant_id = %(merchant_id)s;

-- invoices_of_payment: the invoices a payment led to, the latest first.
SELECT *
FROM invoices_v1
WHERE payment_id = %(payment_id)s AND merchant_id = %(merchant_id)s
ORDER BY invoice_id DESC
LIMIT %(limit)s;

-- invoices_older: a page of a merchant's invoices, newest first, behind an id when one is given.
SELECT *
FROM invoices_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR invoice_id < %(starting_after)s)
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(payment_id)s::text IS NULL OR payment_id = %(payment_id)s)
ORDER BY invoice_id DESC
LIMIT %(limit)s;

-- invoices_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM invoices_v1
WHERE merchant_id = %(merchant_id)s
    AND invoice_id > %(ending_before)s
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(payment_id)s::text IS NULL OR payment_id = %(payment_id)s)
ORDER BY invoice_id
LIMIT %(limit)s;
