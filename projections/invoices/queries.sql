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
    AND (%(payment_id)s::text IS NULL OR payment_id = %(payment_id)s OR applied @> jsonb_build_array(
        jsonb_build_object('payment_id', %(payment_id)s::text)))
    AND (%(credit_account_id)s::text IS NULL OR credit_account_id = %(credit_account_id)s)
    AND (%(subscription_id)s::text IS NULL OR subscription_id = %(subscription_id)s)
    AND (NOT %(overdue)s OR (status = 'open' AND due_at < %(now)s))
ORDER BY invoice_id DESC
LIMIT %(limit)s;

-- invoices_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM invoices_v1
WHERE merchant_id = %(merchant_id)s
    AND invoice_id > %(ending_before)s
    AND (%(status)s::text IS NULL OR status = %(status)s)
    AND (%(payment_id)s::text IS NULL OR payment_id = %(payment_id)s OR applied @> jsonb_build_array(
        jsonb_build_object('payment_id', %(payment_id)s::text)))
    AND (%(credit_account_id)s::text IS NULL OR credit_account_id = %(credit_account_id)s)
    AND (%(subscription_id)s::text IS NULL OR subscription_id = %(subscription_id)s)
    AND (NOT %(overdue)s OR (status = 'open' AND due_at < %(now)s))
ORDER BY invoice_id
LIMIT %(limit)s;

-- payments_of_invoice: how the payments stand that were asked for on its behalf, the newest first.
SELECT payment_id, status, labels, currency, decimals, amount_units, detected_units, confirmed_units, expires_at
FROM payment_status_v1
WHERE merchant_id = %(merchant_id)s AND payment_id = ANY (%(payment_ids)s)
ORDER BY payment_id DESC;

-- invoices_to_fall_due: open behind their due date, and nobody has said so, over all merchants of one mode.
SELECT invoice.invoice_id AS subject_id, invoice.invoice_id AS stream_id, invoice.merchant_id, 'invoice' AS kind,
    invoice.due_at
FROM invoices_v1 AS invoice
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE invoice.status = 'open'
    AND invoice.fell_due_at IS NULL
    AND invoice.due_at < %(now)s
    AND merchant.livemode = %(livemode)s
    AND (invoice.due_at, invoice.invoice_id) > (%(after_due_at)s, %(after_subject_id)s)
ORDER BY invoice.due_at, invoice.invoice_id
LIMIT %(limit)s;

-- invoices_to_send: what is to be sent by now, over all merchants of one mode, what waits longest first.
SELECT invoice.*, merchant.name AS merchant_name, merchant.livemode, account.name AS account_name,
    account.external_id AS account_external_id
FROM invoices_v1 AS invoice
JOIN merchants_v1 AS merchant USING (merchant_id)
LEFT JOIN credit_accounts_v1 AS account ON account.account_id = invoice.credit_account_id
WHERE invoice.delivery_again_at <= %(now)s AND merchant.livemode = %(livemode)s
ORDER BY invoice.delivery_again_at, invoice.invoice_id
LIMIT %(limit)s;
