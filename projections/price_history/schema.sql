-- One row a sample: what a thing cost in US dollars. A price's stream tells sandbox prices from real ones.
CREATE TABLE price_history_v1 (
    price_id     text NOT NULL,
    at           timestamptz NOT NULL,
    dollars      numeric NOT NULL,
    source       text NOT NULL,   -- quorum, or the one whose word it was
    position     bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,  -- of the event: from then on it was known
    PRIMARY KEY (price_id, at)
);

-- One row for each time something was odd, or was so no more.
CREATE TABLE price_history_alerts_v1 (
    price_id  text NOT NULL,
    position  bigint NOT NULL,
    symbol    text NOT NULL,
    type      text NOT NULL,      -- of the event
    at        timestamptz NOT NULL,
    facts     jsonb NOT NULL,     -- of the event, whole
    PRIMARY KEY (price_id, position)
);
