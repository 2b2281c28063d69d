-- One row a merchant. Test and live are two merchants.
CREATE TABLE merchants_v1 (
    merchant_id    text PRIMARY KEY,
    name           text NOT NULL,
    livemode       boolean NOT NULL,
    registered_at  timestamptz NOT NULL,
    seller         jsonb,          -- what its invoices say of it: {name, address, tax_id, email}
    position       bigint NOT NULL
);

CREATE INDEX merchants_v1_by_name ON merchants_v1 (name, livemode);

-- One row an API key, revoked ones too. The secret is nowhere, only its SHA-256 in hex.
CREATE TABLE api_keys_v1 (
    key_id         text PRIMARY KEY,
    merchant_id    text NOT NULL,
    name           text NOT NULL,
    livemode       boolean NOT NULL,
    secret_sha256  text NOT NULL,
    last_four      text NOT NULL,
    scopes         text[] NOT NULL,
    created_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    position       bigint NOT NULL
);

CREATE INDEX api_keys_v1_by_secret ON api_keys_v1 (secret_sha256);
CREATE INDEX api_keys_v1_by_merchant ON api_keys_v1 (merchant_id, key_id);
