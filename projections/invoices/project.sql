-- on: invoice.issued.v1
-- A receipt: it was paid before it was written.
INSERT INTO invoices_v1 (
    invoice_id, merchant_id, kind, number, status, payment_id, credit_account_id, reference, metadata, seller, currency,
    decimals, prices_include_tax, net_units, tax_units, total_units, paid_units, credited_units, due_units, lines, taxes,
    settled_with, asked, applied, created_at, issued_at, paid_at, delivery_attempts, position
)
SELECT
    stream_id, merchant_id, 'receipt', data->>'number', 'paid', data->>'payment_id', data->>'credit_account_id',
    data->>'reference', '{}', nullif(data->'seller', 'null'), data->'total'->>'asset',
    (data->'total'->>'decimals')::smallint, false, (data->'total'->>'units')::numeric, 0,
    (data->'total'->>'units')::numeric, (data->'total'->>'units')::numeric, 0, 0, data->'lines', '[]',
    data->'settled_with', '[]', '[]', (data->>'issued_at')::timestamptz, (data->>'issued_at')::timestamptz,
    (data->>'issued_at')::timestamptz, 0, position
FROM batch;

-- on: invoice.drafted.v1
INSERT INTO invoices_v1 (
    invoice_id, merchant_id, kind, status, credit_account_id, reference, memo, subscription_id, metadata, customer,
    currency, decimals, prices_include_tax, net_units, tax_units, total_units, paid_units, credited_units, due_units,
    lines, taxes, settled_with, asked, applied, due_days, created_at, email, delivery_attempts, position
)
SELECT
    stream_id, merchant_id, 'invoice', 'draft', data->'customer'->>'credit_account_id', data->>'reference',
    data->>'memo', data->>'subscription_id', data->'metadata', data->'customer', data->'currency'->>'code',
    (data->'currency'->>'decimals')::smallint, (data->>'prices_include_tax')::boolean,
    (data->'sums'->'net'->>'units')::numeric, (data->'sums'->'tax'->>'units')::numeric,
    (data->'sums'->'total'->>'units')::numeric, 0, 0, (data->'sums'->'total'->>'units')::numeric, data->'lines',
    data->'sums'->'taxes', '[]', '[]', '[]', (data->>'due_days')::integer, (data->>'drafted_at')::timestamptz,
    data->'customer'->>'email', 0, position
FROM batch;

-- on: invoice.lines_added.v1
-- Lines follow each other in the order they came; the last sums are those of all.
UPDATE invoices_v1 AS invoice
SET lines = invoice.lines || added.lines,
    taxes = added.sums->'taxes',
    net_units = (added.sums->'net'->>'units')::numeric,
    tax_units = (added.sums->'tax'->>'units')::numeric,
    total_units = (added.sums->'total'->>'units')::numeric,
    due_units = (added.sums->'total'->>'units')::numeric,
    position = added.position
FROM (
    SELECT stream_id,
        jsonb_agg(line ORDER BY position, place) AS lines,
        (array_agg(data->'sums' ORDER BY position DESC))[1] AS sums,
        max(position) AS position
    FROM batch,
        jsonb_array_elements(data->'lines') WITH ORDINALITY AS each (line, place)
    GROUP BY stream_id
) AS added
WHERE invoice.invoice_id = added.stream_id;

-- on: invoice.finalised.v1
-- Whoever has an address is sent it, from now on.
UPDATE invoices_v1 AS invoice
SET number = event.data->>'number',
    status = 'open',
    seller = nullif(event.data->'seller', 'null'),
    lines = event.data->'lines',
    taxes = event.data->'sums'->'taxes',
    issued_at = (event.data->>'finalised_at')::timestamptz,
    due_at = (event.data->>'due_at')::timestamptz,
    delivery_again_at = CASE WHEN invoice.email IS NOT NULL THEN (event.data->>'finalised_at')::timestamptz END,
    position = event.position
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.payment_requested.v1
UPDATE invoices_v1 AS invoice
SET asked = invoice.asked || told.asked, position = told.position
FROM (
    SELECT stream_id,
        jsonb_agg(jsonb_build_object(
            'payment_id', data->>'payment_id', 'amount', data->'amount', 'expires_at', data->>'expires_at'
        ) ORDER BY position) AS asked,
        max(position) AS position
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;

-- on: invoice.payment_recorded.v1
-- What was not needed has amount zero: it is no part of what was paid.
UPDATE invoices_v1 AS invoice
SET applied = invoice.applied || told.applied,
    paid_units = (told.last->'paid'->>'units')::numeric,
    due_units = CASE WHEN invoice.status = 'void' THEN invoice.due_units
        ELSE (told.last->'due'->>'units')::numeric END,
    position = told.position
FROM (
    SELECT stream_id,
        coalesce(jsonb_agg(jsonb_build_object(
            'payment_id', data->>'payment_id', 'reason', data->>'reason', 'amount', data->'amount',
            'settled_with', data->'settled_with', 'recorded_at', data->>'recorded_at'
        ) ORDER BY position) FILTER (WHERE data->'amount'->>'units' <> '0'), '[]') AS applied,
        (array_agg(data ORDER BY position DESC))[1] AS last,
        max(position) AS position
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;

-- on: invoice.paid.v1
UPDATE invoices_v1 AS invoice
SET status = 'paid', paid_at = (event.data->>'paid_at')::timestamptz, position = event.position
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.payment_reversed.v1
UPDATE invoices_v1 AS invoice
SET status = told.last->>'status_after',
    applied = (
        SELECT coalesce(jsonb_agg(part ORDER BY place), '[]')
        FROM jsonb_array_elements(invoice.applied) WITH ORDINALITY AS each (part, place)
        WHERE part->>'payment_id' IS NULL OR part->>'payment_id' <> ALL (told.payments)
    ),
    paid_units = (told.last->'paid'->>'units')::numeric,
    due_units = (told.last->'due'->>'units')::numeric,
    paid_at = NULL,
    position = told.position
FROM (
    SELECT stream_id,
        array_agg(data->>'payment_id') AS payments,
        (array_agg(data ORDER BY position DESC))[1] AS last,
        max(position) AS position
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;

-- on: invoice.voided.v1
UPDATE invoices_v1 AS invoice
SET status = 'void', due_units = 0, voided_at = (event.data->>'voided_at')::timestamptz,
    void_reason = event.data->>'reason', delivery_again_at = NULL, position = event.position
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.marked_uncollectible.v1
UPDATE invoices_v1 AS invoice
SET status = 'uncollectible', uncollectible_at = (event.data->>'marked_at')::timestamptz,
    uncollectible_reason = event.data->>'reason', position = event.position
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.fell_due.v1
UPDATE invoices_v1 AS invoice
SET fell_due_at = (event.data->>'noted_at')::timestamptz, position = event.position
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.credit_note_issued.v1
UPDATE invoices_v1 AS invoice
SET credited_units = (told.last->'credited'->>'units')::numeric,
    due_units = (told.last->'due'->>'units')::numeric,
    position = told.position
FROM (
    SELECT stream_id, (array_agg(data ORDER BY position DESC))[1] AS last, max(position) AS position
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;

-- on: invoice.delivered.v1
UPDATE invoices_v1 AS invoice
SET delivered_at = (event.data->>'delivered_at')::timestamptz, message_id = event.data->>'message_id',
    delivery_attempts = (event.data->>'attempt')::integer, delivery_again_at = NULL, delivery_failure = NULL,
    position = event.position
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.delivery_failed.v1
UPDATE invoices_v1 AS invoice
SET delivery_attempts = (told.last->>'attempt')::integer, message_id = told.last->>'message_id',
    delivery_failure = told.last->>'reason', delivery_again_at = (told.last->>'again_at')::timestamptz,
    position = told.position
FROM (
    SELECT stream_id, (array_agg(data ORDER BY position DESC))[1] AS last, max(position) AS position
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;
