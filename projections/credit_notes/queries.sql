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
