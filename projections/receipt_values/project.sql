-- on: payment.requested.v1
-- Two networks with one name may offer the same asset; it has one price.
INSERT INTO receipt_values_locks_v1 (merchant_id, payment_id, asset, lock_id)
SELECT DISTINCT ON (merchant_id, stream_id, option->'due'->>'asset')
    merchant_id, stream_id, option->'due'->>'asset', option->>'price_lock_id'
FROM batch, jsonb_array_elements(data->'options') WITH ORDINALITY AS offered (option, number)
WHERE option->>'price_lock_id' IS NOT NULL
ORDER BY merchant_id, stream_id, option->'due'->>'asset', number
ON CONFLICT DO NOTHING;

-- on: payment.transfer_confirmed.v1
INSERT INTO receipt_values_v1 (merchant_id, position, standing, worth_units, worth_asset, worth_decimals)
SELECT
    merchant_id, position, data->>'standing', (data->'worth'->>'units')::numeric, data->'worth'->>'asset',
    (data->'worth'->>'decimals')::smallint
FROM batch;

-- on: disposal.made.v1
-- What was sold is worth what it brought.
INSERT INTO receipt_values_v1 (merchant_id, position, standing, worth_units, worth_asset, worth_decimals)
SELECT
    merchant_id, position, 'sold', (data->'proceeds'->>'units')::numeric, data->'proceeds'->>'asset',
    (data->'proceeds'->>'decimals')::smallint
FROM batch
WHERE data->'proceeds'->>'asset' IS NOT NULL;
