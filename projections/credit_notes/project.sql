-- on: invoice.credit_note_issued.v1
INSERT INTO credit_notes_v1 (
    credit_note_id, merchant_id, invoice_id, number, invoice_number, invoice_issued_at, customer, seller, currency,
    decimals, net_units, tax_units, total_units, to_refund_units, lines, taxes, reverse_charge, reason, issued_at, email,
    delivery_attempts, delivery_again_at, position
)
SELECT
    data->>'credit_note_id', merchant_id, stream_id, data->>'number', data->>'invoice_number',
    (data->>'invoice_issued_at')::timestamptz, data->'customer', nullif(data->'seller', 'null'),
    data->'sums'->'total'->>'asset', (data->'sums'->'total'->>'decimals')::smallint,
    (data->'sums'->'net'->>'units')::numeric, (data->'sums'->'tax'->>'units')::numeric,
    (data->'sums'->'total'->>'units')::numeric, (data->'to_refund'->>'units')::numeric, data->'lines',
    data->'sums'->'taxes', coalesce((data->>'reverse_charge')::boolean, false), data->>'reason',
    (data->>'issued_at')::timestamptz, data->'customer'->>'email', 0,
    CASE WHEN data->'customer'->>'email' IS NOT NULL THEN (data->>'issued_at')::timestamptz END, position
FROM batch;

-- on: invoice.credit_note_delivery_failed.v1, invoice.credit_note_delivered.v1
-- The last attempt counts; the one that succeeded is the last.
UPDATE credit_notes_v1 AS note
SET delivery_attempts = (told.last->>'attempt')::integer,
    message_id = told.last->>'message_id',
    delivered_at = (told.last->>'delivered_at')::timestamptz,
    delivery_failure = told.last->>'reason',
    delivery_again_at = (told.last->>'again_at')::timestamptz,
    position = greatest(note.position, told.position)
FROM (
    SELECT data->>'credit_note_id' AS credit_note_id, (array_agg(data ORDER BY position DESC))[1] AS last,
        max(position) AS position
    FROM batch
    GROUP BY 1
) AS told
WHERE note.credit_note_id = told.credit_note_id;
