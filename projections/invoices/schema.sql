-- One row an invoice. A void one keeps its number.
CREATE TABLE invoices_v1 (
    invoice_id         text PRIMARY KEY,
    merchant_id        text NOT NULL,
    number             text NOT NULL,   -- 2026-000001
    status             text NOT NULL,   -- paid, void
    payment_id         text,
    credit_account_id  text,
    reference          text,
    currency           text NOT NULL,
    decimals           smallint NOT NULL,
    total_units        numeric(78, 0) NOT NULL,
    lines              jsonb NOT NULL,  -- [{description, quantity, unit_price: amount, amount}]
    settled_with       jsonb NOT NULL,  -- [{network, transaction_id, amount, price, price_lock_id}]
    issued_at          timestamptz NOT NULL,
    voided_at          timestamptz,
    void_reason        text,
    position           bigint NOT NULL
) WITH (fillfactor = 90);

CREATE INDEX invoices_v1_by_merchant ON invoices_v1 (merchant_id, invoice_id);
CREATE INDEX invoices_v1_by_payment ON invoices_v1 (payment_id);
