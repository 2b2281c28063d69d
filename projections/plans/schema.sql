-- One row a plan, on the terms it is sold on now.
CREATE TABLE plans_v1 (
    plan_id      text PRIMARY KEY,
    merchant_id  text NOT NULL,
    code         text NOT NULL,
    plan_version integer NOT NULL,
    terms        jsonb NOT NULL,  -- as in the event
    created_at   timestamptz NOT NULL,
    revised_at   timestamptz,
    archived_at  timestamptz,
    position     bigint NOT NULL
);

CREATE INDEX plans_v1_by_merchant ON plans_v1 (merchant_id, plan_id);
CREATE INDEX plans_v1_by_code ON plans_v1 (merchant_id, code);
