-- One row a credit note. Amounts are base units of the currency.
CREATE TABLE credit_notes_v1 (
    credit_note_id     text PRIMARY KEY,
    merchant_id        text NOT NULL,
    invoice_id         text NOT NULL,
    number             text NOT NULL,   -- CN-2026-000001
    invoice_number     text NOT NULL,
    invoice_issued_at  timestamptz NOT NULL,
    customer           jsonb NOT NULL,
    seller             jsonb,
    currency           text NOT NULL,
    decimals           smallint NOT NULL,
    net_units          numeric(78, 0) NOT NULL,
    tax_units          numeric(78, 0) NOT NULL,
    total_units        numeric(78, 0) NOT NULL,
    to_refund_units    numeric(78, 0) NOT NULL,  -- of what had been paid
    lines              jsonb NOT NULL,  -- [{line, description, amount, tax_rate, is_credit, net, tax}]
    taxes              jsonb NOT NULL,  -- [{rate, net, tax}]
    reverse_charge     boolean NOT NULL,  -- as the invoice
    reason             text NOT NULL,
    issued_at          timestamptz NOT NULL,
    email              text,            -- where it goes
    message_id         text,
    delivery_attempts  integer NOT NULL,
    delivered_at       timestamptz,
    delivery_again_at  timestamptz,    -- when it is to be sent, or sent again; NULL: not any more
    delivery_failure   text,            -- of the last attempt, when it failed
    position           bigint NOT NULL
);

CREATE INDEX credit_notes_v1_by_merchant ON credit_notes_v1 (merchant_id, credit_note_id);
CREATE INDEX credit_notes_v1_by_invoice ON credit_notes_v1 (invoice_id, credit_note_id);
CREATE INDEX credit_notes_v1_unsent ON credit_notes_v1 (delivery_again_at, credit_note_id) WHERE delivery_again_at IS NOT NULL;
