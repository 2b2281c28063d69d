-- One row a transfer that was booked: how it was counted, and what it was then said to be worth; and one a sale.
CREATE TABLE receipt_values_v1 (
    merchant_id     text NOT NULL,
    position        bigint NOT NULL,
    standing        text NOT NULL,
    worth_units     numeric(78, 0) NOT NULL,
    worth_asset     text NOT NULL,      -- the currency of the request
    worth_decimals  smallint NOT NULL,
    PRIMARY KEY (merchant_id, position)
);
