-- on: ownership.challenge_issued.v1
INSERT INTO ownerships_v1 (
    ownership_id, merchant_id, purpose, payment_id, account_id, network, chain_id, address, issued_at, expires_at,
    position
)
SELECT
    stream_id, merchant_id, data->>'purpose', data->>'payment_id', data->>'account_id', data->>'network',
    data->>'chain_id', data->>'address', (data->>'issued_at')::timestamptz, (data->>'expires_at')::timestamptz, position
FROM batch;

-- on: ownership.address_registered.v1
UPDATE ownerships_v1 AS ownership
SET scheme = event.data->>'scheme',
    slot = concat_ws(
        ' ', ownership.purpose, coalesce(ownership.payment_id, ownership.account_id), ownership.chain_id,
        CASE ownership.purpose WHEN 'sender' THEN ownership.address END
    ),
    registered = event.position,
    registered_at = (event.data->>'registered_at')::timestamptz,
    position = event.position
FROM batch AS event
WHERE ownership.merchant_id = event.merchant_id AND ownership.ownership_id = event.stream_id;

-- on: ownership.address_revoked.v1
UPDATE ownerships_v1 AS ownership
SET revoked_at = (event.data->>'revoked_at')::timestamptz, position = event.position
FROM batch AS event
WHERE ownership.merchant_id = event.merchant_id AND ownership.ownership_id = event.stream_id;
