-- One row a credit account, in units of CREDIT. At every position:
-- granted + owed + transferred_in = available + held + consumed + expired + reversed + transferred_out.
CREATE TABLE credit_accounts_v1 (
    account_id       text PRIMARY KEY,
    merchant_id      text NOT NULL,
    external_id      text,
    name             text,
    overage_max_units numeric(78, 0) NOT NULL,
    available_units  numeric(78, 0) NOT NULL DEFAULT 0,
    held_units       numeric(78, 0) NOT NULL DEFAULT 0,
    granted_units    numeric(78, 0) NOT NULL DEFAULT 0,
    consumed_units   numeric(78, 0) NOT NULL DEFAULT 0,
    expired_units    numeric(78, 0) NOT NULL DEFAULT 0,
    reversed_units   numeric(78, 0) NOT NULL DEFAULT 0,
    owed_units       numeric(78, 0) NOT NULL DEFAULT 0,
    transferred_in_units  numeric(78, 0) NOT NULL DEFAULT 0,
    transferred_out_units numeric(78, 0) NOT NULL DEFAULT 0,
    opened_at        timestamptz NOT NULL,
    position         bigint NOT NULL  -- of the last event that changed the row
) WITH (fillfactor = 50);

CREATE INDEX credit_accounts_v1_by_merchant ON credit_accounts_v1 (merchant_id, account_id);
CREATE INDEX credit_accounts_v1_by_external_id ON credit_accounts_v1 (merchant_id, external_id);

-- One row a grant, used up or not: granted = remaining + held + consumed + expired + reversed + transferred.
CREATE TABLE credit_grants_v1 (
    grant_id         text PRIMARY KEY,
    account_id       text NOT NULL,
    merchant_id      text NOT NULL,
    source           text NOT NULL,     -- purchased, granted, promotion, refund
    priority         integer NOT NULL,  -- smaller burns first
    granted_units    numeric(78, 0) NOT NULL,
    remaining_units  numeric(78, 0) NOT NULL,
    is_open          boolean NOT NULL CHECK (is_open = (remaining_units > 0)), -- changes rarely, so indexes may name it
    held_units       numeric(78, 0) NOT NULL DEFAULT 0,
    consumed_units   numeric(78, 0) NOT NULL, -- what settled an old debt is consumed from the start
    expired_units    numeric(78, 0) NOT NULL DEFAULT 0,
    reversed_units   numeric(78, 0) NOT NULL DEFAULT 0,
    transferred_units numeric(78, 0) NOT NULL DEFAULT 0, -- what went on in another account
    is_reversed      boolean NOT NULL DEFAULT false, -- nothing of it can be spent, whatever is let go
    expires_at       timestamptz,
    warn_at          timestamptz,       -- when the next warning of its end is due
    payment_id       text,
    cost             jsonb,             -- what was paid for it: {asset, decimals, units}
    granted_at       timestamptz NOT NULL,
    recurring_id     text,              -- of the rule that made it
    day_ends_at      timestamptz,       -- of what was bought: the end of the first day whose change is not told as earned
    first_position   bigint NOT NULL,
    position         bigint NOT NULL
) WITH (fillfactor = 60);

CREATE INDEX credit_grants_v1_by_account ON credit_grants_v1 (account_id, grant_id);
CREATE INDEX credit_grants_v1_open ON credit_grants_v1 (account_id, expires_at) WHERE is_open;
CREATE INDEX credit_grants_v1_waiting ON credit_grants_v1 (expires_at, grant_id)
    WHERE is_open AND expires_at IS NOT NULL;
CREATE INDEX credit_grants_v1_unwarned ON credit_grants_v1 (warn_at, grant_id)
    WHERE is_open AND warn_at IS NOT NULL;
CREATE INDEX credit_grants_v1_unearned ON credit_grants_v1 (day_ends_at, account_id) WHERE day_ends_at IS NOT NULL;
CREATE INDEX credit_grants_v1_untold ON credit_grants_v1 (account_id) WHERE day_ends_at IS NOT NULL;

-- One row a hold.
CREATE TABLE credit_holds_v1 (
    hold_id         text PRIMARY KEY,
    account_id      text NOT NULL,
    merchant_id     text NOT NULL,
    status          text NOT NULL,  -- held, captured, released, expired
    units           numeric(78, 0) NOT NULL,
    captured_units  numeric(78, 0) NOT NULL DEFAULT 0,
    slices          jsonb NOT NULL, -- of which grants: [{grant_id, units}]
    reference       text,
    expires_at      timestamptz NOT NULL,
    held_at         timestamptz NOT NULL,
    ended_at        timestamptz,
    position        bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX credit_holds_v1_by_account ON credit_holds_v1 (account_id, hold_id);
CREATE INDEX credit_holds_v1_open ON credit_holds_v1 (account_id, expires_at) WHERE status = 'held';
CREATE INDEX credit_holds_v1_waiting ON credit_holds_v1 (expires_at, hold_id) WHERE status = 'held';

-- One row a rule that grants again and again.
CREATE TABLE credit_recurring_grants_v1 (
    rule_id                text PRIMARY KEY,
    account_id             text NOT NULL,
    merchant_id            text NOT NULL,
    status                 text NOT NULL,  -- active, canceled; over when next_at is null and it is active
    units                  numeric(78, 0) NOT NULL,
    every                  text NOT NULL,  -- month, week, day
    anchor                 timestamptz NOT NULL,
    source                 text NOT NULL,
    priority               integer NOT NULL,
    expires_after_seconds  bigint,
    until                  timestamptz,
    grants_made            integer NOT NULL DEFAULT 0,
    next_period            integer NOT NULL,
    next_at                timestamptz,
    set_at                 timestamptz NOT NULL,
    canceled_at            timestamptz,
    position               bigint NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX credit_recurring_grants_v1_by_account ON credit_recurring_grants_v1 (account_id, rule_id);
CREATE INDEX credit_recurring_grants_v1_waiting ON credit_recurring_grants_v1 (next_at, rule_id) WHERE next_at IS NOT NULL;
