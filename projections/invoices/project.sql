-- on: invoice.issued.v1
-- A receipt: it was paid before it was written.
INSERT INTO invoices_v1 (
    invoice_id, merchant_id, kind, number, status, payment_id, credit_account_id, reference, metadata, seller, currency,
    decimals, prices_include_tax, reverse_charge, net_units, tax_units, total_units, paid_units, credited_units, due_units, lines, taxes,
    settled_with, asked, applied, created_at, issued_at, paid_at, delivery_attempts, position
)
SELECT
    stream_id, merchant_id, 'receipt', data->>'number', 'paid', data->>'payment_id', data->>'credit_account_id',
    data->>'reference', '{}', nullif(data->'seller', 'null'), data->'total'->>'asset',
    (data->'total'->>'decimals')::smallint, false, false, (data->'total'->>'units')::numeric, 0,
    (data->'total'->>'units')::numeric, (data->'total'->>'units')::numeric, 0, 0, data->'lines', '[]',
    data->'settled_with', '[]', '[]', (data->>'issued_at')::timestamptz, (data->>'issued_at')::timestamptz,
    (data->>'issued_at')::timestamptz, 0, position
FROM batch;

-- on: invoice.drafted.v1
INSERT INTO invoices_v1 (
    invoice_id, merchant_id, kind, status, credit_account_id, reference, memo, subscription_id, metadata, customer,
    currency, decimals, prices_include_tax, reverse_charge, net_units, tax_units, total_units, paid_units, credited_units, due_units,
    lines, taxes, settled_with, asked, applied, due_days, created_at, email, delivery_attempts, position
)
SELECT
    stream_id, merchant_id, 'invoice', 'draft', data->'customer'->>'credit_account_id', data->>'reference',
    data->>'memo', data->>'subscription_id', data->'metadata', data->'customer', data->'currency'->>'code',
    (data->'currency'->>'decimals')::smallint, (data->>'prices_include_tax')::boolean,
    coalesce((data->>'reverse_charge')::boolean, false),
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
    position = greatest(invoice.position, added.position)
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
-- Its lines replace those of the draft. Whoever has an address is sent it, from now on.
UPDATE invoices_v1 AS invoice
SET number = event.data->>'number',
    seller = nullif(event.data->'seller', 'null'),
    lines = event.data->'lines',
    taxes = event.data->'sums'->'taxes',
    issued_at = (event.data->>'finalised_at')::timestamptz,
    due_at = (event.data->>'due_at')::timestamptz,
    delivery_again_at = CASE WHEN invoice.email IS NOT NULL THEN (event.data->>'finalised_at')::timestamptz END
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.payment_requested.v1
UPDATE invoices_v1 AS invoice
SET asked = invoice.asked || told.asked, position = greatest(invoice.position, told.position)
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

-- on: invoice.payment_recorded.v1, invoice.payment_reversed.v1
-- What was not needed has amount zero: it is no part of what was paid. What a chain took back may come again.
WITH fact AS (
    SELECT stream_id, position, type, data, data->>'payment_id' AS payment_id
    FROM batch
),
added AS (
    SELECT recorded.stream_id,
        jsonb_agg(jsonb_build_object(
            'payment_id', recorded.payment_id, 'reason', recorded.data->>'reason', 'amount', recorded.data->'amount',
            'settled_with', recorded.data->'settled_with', 'recorded_at', recorded.data->>'recorded_at'
        ) ORDER BY recorded.position) AS applied
    FROM fact AS recorded
    WHERE recorded.type = 'invoice.payment_recorded.v1'
        AND recorded.data->'amount'->>'units' <> '0'
        AND NOT EXISTS (
            SELECT FROM fact AS reversed
            WHERE reversed.type = 'invoice.payment_reversed.v1'
                AND reversed.stream_id = recorded.stream_id
                AND reversed.payment_id = recorded.payment_id
                AND reversed.position > recorded.position
        )
    GROUP BY recorded.stream_id
),
change AS (
    SELECT stream_id,
        coalesce(array_agg(payment_id) FILTER (WHERE type = 'invoice.payment_reversed.v1'), '{}') AS reversed,
        (array_agg(data->'paid'->>'units' ORDER BY position DESC))[1]::numeric AS paid_units
    FROM fact
    GROUP BY stream_id
)
UPDATE invoices_v1 AS invoice
SET applied = (
        SELECT coalesce(jsonb_agg(part ORDER BY place), '[]')
        FROM jsonb_array_elements(invoice.applied) WITH ORDINALITY AS each (part, place)
        WHERE part->>'payment_id' IS NULL OR part->>'payment_id' <> ALL (change.reversed)
    ) || coalesce(added.applied, '[]'),
    paid_units = change.paid_units
FROM change
LEFT JOIN added USING (stream_id)
WHERE invoice.invoice_id = change.stream_id;

-- on: invoice.credit_note_issued.v1
UPDATE invoices_v1 AS invoice
SET credited_units = told.credited_units
FROM (
    SELECT stream_id, (array_agg(data->'credited'->>'units' ORDER BY position DESC))[1]::numeric AS credited_units
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;

-- on: invoice.delivery_failed.v1, invoice.delivered.v1
-- The last attempt counts; the one that succeeded is the last.
UPDATE invoices_v1 AS invoice
SET delivery_attempts = (told.last->>'attempt')::integer,
    message_id = told.last->>'message_id',
    delivered_at = (told.last->>'delivered_at')::timestamptz,
    delivery_failure = told.last->>'reason',
    delivery_again_at = (told.last->>'again_at')::timestamptz,
    position = greatest(invoice.position, told.position)
FROM (
    SELECT stream_id, (array_agg(data ORDER BY position DESC))[1] AS last, max(position) AS position
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;

-- on: invoice.voided.v1
-- It is not sent any more, whatever was tried before.
UPDATE invoices_v1 AS invoice
SET voided_at = (event.data->>'voided_at')::timestamptz, void_reason = event.data->>'reason', delivery_again_at = NULL
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.marked_uncollectible.v1
UPDATE invoices_v1 AS invoice
SET uncollectible_at = (event.data->>'marked_at')::timestamptz, uncollectible_reason = event.data->>'reason'
FROM batch AS event
WHERE invoice.invoice_id = event.stream_id;

-- on: invoice.fell_due.v1, invoice.payment_reversed.v1
-- What was taken back is to fall due again.
UPDATE invoices_v1 AS invoice
SET fell_due_at = told.fell_due_at, position = greatest(invoice.position, told.position)
FROM (
    SELECT stream_id,
        (array_agg((data->>'noted_at')::timestamptz ORDER BY position DESC))[1] AS fell_due_at,
        max(position) AS position
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;

-- on: invoice.paid.v1, invoice.payment_reversed.v1
-- Paid it is no more when something is due again.
UPDATE invoices_v1 AS invoice
SET paid_at = told.paid_at, position = greatest(invoice.position, told.position)
FROM (
    SELECT stream_id,
        (array_agg((data->>'paid_at')::timestamptz ORDER BY position DESC))[1] AS paid_at,
        max(position) AS position
    FROM batch
    WHERE type = 'invoice.paid.v1' OR data->'due'->>'units' <> '0'
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;

-- on: invoice.finalised.v1, invoice.payment_recorded.v1, invoice.payment_reversed.v1, invoice.credit_note_issued.v1, invoice.marked_uncollectible.v1, invoice.voided.v1
-- Where it stands follows from what is due and from what was said above: in whatever order, it is the same.
UPDATE invoices_v1 AS invoice
SET due_units = CASE
        WHEN invoice.voided_at IS NOT NULL THEN 0
        WHEN invoice.number IS NULL THEN invoice.due_units
        ELSE coalesce(told.due_units, invoice.due_units)
    END,
    status = CASE
        WHEN invoice.voided_at IS NOT NULL THEN 'void'
        WHEN invoice.number IS NULL THEN 'draft'
        WHEN coalesce(told.due_units, invoice.due_units) = 0 THEN 'paid'
        WHEN invoice.uncollectible_at IS NOT NULL THEN 'uncollectible'
        ELSE 'open'
    END,
    position = greatest(invoice.position, told.position)
FROM (
    SELECT stream_id,
        (array_agg(CASE type
            WHEN 'invoice.finalised.v1' THEN data->'sums'->'total'->>'units'
            WHEN 'invoice.voided.v1' THEN '0'
            ELSE data->'due'->>'units'
        END ORDER BY position DESC) FILTER (WHERE type <> 'invoice.marked_uncollectible.v1'))[1]::numeric AS due_units,
        max(position) AS position
    FROM batch
    GROUP BY stream_id
) AS told
WHERE invoice.invoice_id = told.stream_id;
