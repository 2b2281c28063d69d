-- One row for each change of a credit account, in units of CREDIT.
CREATE TABLE credit_entries_v1 (
    account_id       text NOT NULL,
    position         bigint NOT NULL,
    merchant_id      text NOT NULL,
    kind             text NOT NULL,            -- granted, consumed, held, captured, released, hold_expired, expired, reversed,
                                               -- refunded, purchase_refunded, transferred_out, transferred_in
    units            numeric(78, 0) NOT NULL,  -- what the change is about, never negative
    available_units  numeric(78, 0) NOT NULL,  -- what it did to what can be spent, signed
    held_units       numeric(78, 0) NOT NULL,  -- and to what is held, signed
    balance_units    numeric(78, 0) NOT NULL,  -- available after it
    grant_id         text,
    hold_id          text,
    payment_id       text,
    reference        text,
    refund_of        bigint,                   -- position of the consumption that is refunded
    transfer_id      text,
    other_account_id text,                     -- of a transfer: where it went or came from
    slices           jsonb,                    -- of which grants: [{grant_id, units}]
    at               timestamptz NOT NULL,
    PRIMARY KEY (account_id, position)
);
