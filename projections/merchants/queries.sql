-- api_key_by_secret: the key with this hash and its merchant, for authentication, revoked or not; or no row.
SELECT key.key_id, key.merchant_id, key.name, key.livemode, key.last_four, key.scopes, key.created_at, key.revoked_at,
    merchant.name AS merchant_name
FROM api_keys_v1 AS key
LEFT JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE key.secret_sha256 = %(secret_sha256)s;

-- merchant_by_id: one merchant, or no row.
SELECT *
FROM merchants_v1
WHERE merchant_id = %(merchant_id)s;

-- merchants_by_name: the merchants of one name and mode, the oldest first.
SELECT *
FROM merchants_v1
WHERE name = %(name)s AND livemode = %(livemode)s
ORDER BY merchant_id
LIMIT %(limit)s;

-- api_keys: every key, for the command line, with its merchant's name, the oldest first.
SELECT key.key_id, key.merchant_id, key.name, key.livemode, key.last_four, key.scopes, key.created_at, key.revoked_at,
    merchant.name AS merchant_name
FROM api_keys_v1 AS key
LEFT JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE (%(merchant_id)s::text IS NULL OR key.merchant_id = %(merchant_id)s) AND key.key_id > %(after)s
ORDER BY key.key_id
LIMIT %(limit)s;
