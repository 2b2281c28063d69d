-- on: payment.requested.v1
INSERT INTO deposit_addresses_v1 (
    network, address, payment_id, asset, merchant_id, decimals, due_units, price_lock_id, derivation, identified_by,
    mark, requested_at, expires_at, position
)
SELECT
    option->>'network', option->>'address', stream_id, option->'due'->>'asset', merchant_id,
    (option->'due'->>'decimals')::smallint, (option->'due'->>'units')::numeric, option->>'price_lock_id',
    option->>'derivation', option->>'identified_by', option->>'mark', (data->>'requested_at')::timestamptz, (data->>'expires_at')::timestamptz, position
FROM batch,
    jsonb_array_elements(data->'options') AS option;
