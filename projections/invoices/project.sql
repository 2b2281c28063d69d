-- on: invoice.issued.v1
-- A receipt: it was paid before it was written.
INSERT INTO invoices_v1 (
    invoice_id, merchant_id, number, status, payment_id, credit_account_id, reference, currency, decimals, total_units,
    lines, settled_with, issued_at, position
)
SELECT
    stream_id, merchant_id, data->>'number', 'paid', data->>'payment_id', data->>'credit_account_id',
    data->>'reference', data->'total'->>'asset', (data->'total'->>'decimals')::smallint,
    (data->'total'->>'units')::numeric, data->'lines', data->'settled_with', (data->>'issued_at')::timestamptz, position
FROM batch;

-- on: invoice.voided.v1
UPDATE invoices_v1 AS invoice
SET status = 'void', voided_at = (event.data->>'voided_at')::timestamptz, void_reason = event.data->>'reason',
    position = event.position
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;
