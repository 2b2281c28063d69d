-- One row a subscription. What time changes next is in every event, so it is only copied here.
CREATE TABLE subscriptions_v1 (
    subscription_id    text PRIMARY KEY,
    merchant_id        text NOT NULL,
    credit_account_id  text NOT NULL,
    status             text NOT NULL,   -- scheduled, trialing, active, past_due, paused, canceled
    next_at            timestamptz,
    plan_id            text NOT NULL,
    plan               jsonb NOT NULL,  -- {plan_id, code, version, terms}
    quantity           integer NOT NULL,
    starts_at          timestamptz NOT NULL,
    trial_ends_at      timestamptz,
    period             jsonb,           -- {number, start, end, anchor_day, paused_microseconds}
    carried            jsonb NOT NULL,  -- [{tax_rate, amount}]
    scheduled_plan     jsonb,
    scheduled_quantity integer,
    ends_with_period   boolean NOT NULL DEFAULT false,
    resumes_at         timestamptz,
    past_due_at        timestamptz,
    latest_invoice_id  text,
    reference          text,
    bill_to            jsonb,           -- {name, address, tax_id, email}, whom its invoices name
    started_at         timestamptz NOT NULL,
    canceled_at        timestamptz,
    cancel_reason      text,
    position           bigint NOT NULL
);

CREATE INDEX subscriptions_v1_by_merchant ON subscriptions_v1 (merchant_id, subscription_id);
CREATE INDEX subscriptions_v1_by_account ON subscriptions_v1 (credit_account_id, subscription_id);
CREATE INDEX subscriptions_v1_due ON subscriptions_v1 (next_at, subscription_id) WHERE next_at IS NOT NULL;
