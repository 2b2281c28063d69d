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
