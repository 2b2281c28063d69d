-- credit_note_by_id: one credit note of a merchant, or no row.
SELECT *
FROM credit_notes_v1
WHERE credit_note_id = %(credit_note_id)s AND merchant_id = %(merchant_id)s;

-- credit_notes_older: a page of a merchant's credit notes, newest first, behind an id when one is given.
SELECT *
FROM credit_notes_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR credit_note_id < %(starting_after)s)
    AND (%(invoice_id)s::text IS NULL OR invoice_id = %(invoice_id)s)
ORDER BY credit_note_id DESC
LIMIT %(limit)s;

-- credit_notes_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM credit_notes_v1
WHERE merchant_id = %(merchant_id)s
    AND credit_note_id > %(ending_before)s
    AND (%(invoice_id)s::text IS NULL OR invoice_id = %(invoice_id)s)
ORDER BY credit_note_id
LIMIT %(limit)s;

-- credit_notes_to_send: what is to be sent by now, over all merchants of one mode, what waits longest first.
SELECT note.*, merchant.name AS merchant_name, merchant.livemode, account.name AS account_name,
    account.external_id AS account_external_id
FROM credit_notes_v1 AS note
JOIN merchants_v1 AS merchant USING (merchant_id)
LEFT JOIN credit_accounts_v1 AS account ON account.account_id = note.customer->>'credit_account_id'
WHERE note.delivery_again_at <= %(now)s AND merchant.livemode = %(livemode)s
ORDER BY note.delivery_again_at, note.credit_note_id
LIMIT %(limit)s;
