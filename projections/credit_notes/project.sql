-- on: invoice.credit_note_issued.v1
INSERT INTO credit_notes_v1 (
    credit_note_id, merchant_id, invoice_id, number, invoice_number, customer, seller, currency, decimals, net_units,
    tax_units, total_units, to_refund_units, lines, taxes, reason, issued_at, position
)
SELECT
    data->>'credit_note_id', merchant_id, stream_id, data->>'number', data->>'invoice_number', data->'customer',
    nullif(data->'seller', 'null'), data->'sums'->'total'->>'asset', (data->'sums'->'total'->>'decimals')::smallint,
    (data->'sums'->'net'->>'units')::numeric, (data->'sums'->'tax'->>'units')::numeric,
    (data->'sums'->'total'->>'units')::numeric, (data->'to_refund'->>'units')::numeric, data->'lines',
    data->'sums'->'taxes', data->>'reason', (data->>'issued_at')::timestamptz, position
FROM batch;
