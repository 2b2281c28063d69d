-- One row for each account and asset of a merchant: what was ever debited, and what was ever credited.
CREATE TABLE account_balance_v1 (
    merchant_id   text NOT NULL,
    account       text NOT NULL,
    asset         text NOT NULL,
    decimals      smallint NOT NULL,
    debit_units   numeric(78, 0) NOT NULL,
    credit_units  numeric(78, 0) NOT NULL,
    position      bigint NOT NULL,
    PRIMARY KEY (merchant_id, account, asset)
) WITH (fillfactor = 50);
