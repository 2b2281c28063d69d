-- One row a disposal.
CREATE TABLE disposals_v1 (
    merchant_id        text NOT NULL,
    disposal_id        text NOT NULL,
    position           bigint NOT NULL,
    network            text NOT NULL,
    kind               text NOT NULL,            -- sale, withdrawal, fee, refund
    asset              text NOT NULL,
    decimals           smallint NOT NULL,
    units              numeric(78, 0) NOT NULL,
    proceeds_asset     text,                     -- of a sale
    proceeds_decimals  smallint,
    proceeds_units     numeric(78, 0),
    lots               text[] NOT NULL,          -- that were named, in their order
    reference          text,
    made_at            timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, position)
);

CREATE INDEX disposals_v1_by_id ON disposals_v1 (disposal_id);
