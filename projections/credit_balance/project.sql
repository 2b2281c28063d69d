-- on: credit_account.opened.v1
INSERT INTO credit_accounts_v1 (account_id, merchant_id, external_id, name, overage_max_units, opened_at, position)
SELECT
    stream_id, merchant_id, data->>'external_id', data->>'name', (data->'overage_max'->>'units')::numeric,
    (data->>'opened_at')::timestamptz, position
FROM batch;

-- on: credit_account.granted.v1
INSERT INTO credit_grants_v1 (
    grant_id, account_id, merchant_id, source, priority, granted_units, remaining_units, is_open, consumed_units,
    expires_at, warn_at, payment_id, cost, granted_at, recurring_id, day_ends_at, first_position, position
)
SELECT
    data->>'grant_id', stream_id, merchant_id, data->>'source', (data->>'priority')::integer,
    (data->'amount'->>'units')::numeric,
    (data->'amount'->>'units')::numeric - (data->'settles'->>'units')::numeric,
    (data->'amount'->>'units')::numeric > (data->'settles'->>'units')::numeric,
    (data->'settles'->>'units')::numeric, end_at, (
        SELECT min(end_at - make_interval(hours => 24 * days)) FROM (VALUES (30), (7), (1)) AS ahead (days)
        WHERE end_at - make_interval(hours => 24 * days) > made_at
    ), data->>'payment_id', nullif(data->'cost', 'null'), made_at,
    data->'recurring'->>'rule_id', CASE
        WHEN data->>'payment_id' IS NOT NULL AND (data->'settles'->>'units')::numeric > 0
            THEN (date_trunc('day', made_at AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC'
    END, position, position
FROM batch,
    LATERAL (
        SELECT (data->>'expires_at')::timestamptz AS end_at, (data->>'granted_at')::timestamptz AS made_at
    ) AS lasting;

-- on: credit_account.transferred_in.v1
-- Parts of another account's grants, each with what was promised of its grant.
INSERT INTO credit_grants_v1 (
    grant_id, account_id, merchant_id, source, priority, granted_units, remaining_units, is_open, consumed_units,
    expires_at, warn_at, payment_id, cost, granted_at, day_ends_at, first_position, position
)
SELECT
    part->>'grant_id', stream_id, merchant_id, part->>'source', (part->>'priority')::integer, (part->>'units')::numeric,
    (part->>'units')::numeric - (part->>'settles')::numeric, (part->>'units')::numeric > (part->>'settles')::numeric,
    (part->>'settles')::numeric, end_at, (
        SELECT min(end_at - make_interval(hours => 24 * days)) FROM (VALUES (30), (7), (1)) AS ahead (days)
        WHERE end_at - make_interval(hours => 24 * days) > made_at
    ), part->>'payment_id', nullif(part->'cost', 'null'), made_at, CASE
        WHEN part->>'payment_id' IS NOT NULL AND (part->>'settles')::numeric > 0
            THEN (
                date_trunc('day', (data->>'transferred_at')::timestamptz AT TIME ZONE 'UTC') + interval '1 day'
            ) AT TIME ZONE 'UTC'
    END, position, position
FROM batch,
    jsonb_array_elements(data->'grants') AS part,
    LATERAL (
        SELECT (part->>'expires_at')::timestamptz AS end_at, (part->>'granted_at')::timestamptz AS made_at
    ) AS lasting;

-- on: credit_account.expiry_warned.v1
-- The nearest warning of a batch leaves those that are nearer still.
UPDATE credit_grants_v1 AS grant_row
SET warn_at = CASE warned.days
        WHEN 30 THEN grant_row.expires_at - make_interval(hours => 24 * 7)
        WHEN 7 THEN grant_row.expires_at - make_interval(hours => 24)
    END,
    position = greatest(grant_row.position, warned.position)
FROM (
    SELECT data->>'grant_id' AS grant_id, min((data->>'days')::integer) AS days, max(position) AS position
    FROM batch
    GROUP BY 1
) AS warned
WHERE grant_row.grant_id = warned.grant_id;

-- on: credit_account.recurring_grant_set.v1
INSERT INTO credit_recurring_grants_v1 (
    rule_id, account_id, merchant_id, status, units, every, anchor, source, priority, expires_after_seconds, until,
    next_period, next_at, set_at, position
)
SELECT
    data->>'rule_id', stream_id, merchant_id, 'active', (data->'amount'->>'units')::numeric, data->>'every',
    (data->>'anchor')::timestamptz, data->>'source', (data->>'priority')::integer,
    (data->>'expires_after_seconds')::bigint, (data->>'until')::timestamptz, (data->>'first_period')::integer,
    (data->>'next_at')::timestamptz, (data->>'set_at')::timestamptz, position
FROM batch;

-- on: credit_account.granted.v1, credit_account.recurring_grant_skipped.v1
-- A rule goes on behind the last period of the batch.
UPDATE credit_recurring_grants_v1 AS rule
SET grants_made = rule.grants_made + passed.grants,
    next_period = passed.last_period + 1,
    next_at = passed.next_at,
    position = passed.position
FROM (
    SELECT DISTINCT ON (rule_id)
        rule_id, period AS last_period, next_at, position, sum(is_grant) OVER (PARTITION BY rule_id) AS grants
    FROM (
        SELECT
            coalesce(data->'recurring'->>'rule_id', data->>'rule_id') AS rule_id,
            coalesce(data->'recurring'->>'number', data->>'last_period')::integer AS period,
            coalesce(data->'recurring'->>'next_at', data->>'next_at')::timestamptz AS next_at,
            CASE type WHEN 'credit_account.granted.v1' THEN 1 ELSE 0 END AS is_grant,
            position
        FROM batch
        WHERE type = 'credit_account.recurring_grant_skipped.v1' OR data->'recurring'->>'rule_id' IS NOT NULL
    ) AS told
    ORDER BY rule_id, period DESC
) AS passed
WHERE rule.rule_id = passed.rule_id;

-- on: credit_account.recurring_grant_canceled.v1
UPDATE credit_recurring_grants_v1 AS rule
SET status = 'canceled', next_at = NULL, canceled_at = (event.data->>'canceled_at')::timestamptz, position = event.position
FROM batch AS event
WHERE rule.rule_id = event.data->>'rule_id';

-- on: credit_account.overage_set.v1
UPDATE credit_accounts_v1 AS account
SET overage_max_units = last.units, position = greatest(account.position, last.position)
FROM (
    SELECT DISTINCT ON (stream_id) stream_id, (data->'overage_max'->>'units')::numeric AS units, position
    FROM batch
    ORDER BY stream_id, position DESC
) AS last
WHERE account.account_id = last.stream_id;

-- on: credit_account.held.v1
INSERT INTO credit_holds_v1 (
    hold_id, account_id, merchant_id, status, units, slices, expires_at, held_at, position
)
SELECT
    data->>'hold_id', stream_id, merchant_id, 'held', (data->'amount'->>'units')::numeric, data->'slices',
    (data->>'expires_at')::timestamptz, (data->>'held_at')::timestamptz, position
FROM batch;

-- on: credit_account.hold_captured.v1, credit_account.hold_released.v1
-- A hold ends once.
UPDATE credit_holds_v1 AS hold
SET status = CASE
        WHEN event.type = 'credit_account.hold_captured.v1' THEN 'captured'
        WHEN (event.data->>'expired')::boolean THEN 'expired'
        ELSE 'released'
    END,
    captured_units = coalesce((event.data->'captured'->>'units')::numeric, 0),
    reference = event.data->>'reference',
    ended_at = coalesce(event.data->>'captured_at', event.data->>'released_at')::timestamptz,
    position = event.position
FROM batch AS event
WHERE hold.hold_id = event.data->>'hold_id';

-- on: credit_account.granted.v1, credit_account.consumed.v1, credit_account.held.v1, credit_account.hold_captured.v1, credit_account.hold_released.v1, credit_account.grant_expired.v1, credit_account.grant_reversed.v1, credit_account.refunded.v1, credit_account.purchase_refunded.v1, credit_account.transferred_out.v1, credit_account.transferred_in.v1
-- What each event moves, by its amounts and the sums of its slices, worked out once: hence MATERIALIZED. Added up for each account.
WITH told AS MATERIALIZED (
    SELECT
        stream_id AS account_id, position, type,
        coalesce((data->'amount'->>'units')::numeric, 0) AS amount,
        coalesce((data->'settles'->>'units')::numeric, 0) AS settles,
        coalesce((data->'overage'->>'units')::numeric, 0) AS overage,
        coalesce((data->'captured'->>'units')::numeric, 0) AS captured,
        coalesce((data->'owed'->>'units')::numeric, 0) AS owed,
        CASE WHEN type IN ('credit_account.hold_captured.v1', 'credit_account.hold_released.v1') THEN (
            SELECT coalesce(sum((slice->>'units')::numeric), 0) FROM jsonb_array_elements(data->'slices') AS slice
        ) ELSE 0 END AS slices,
        CASE type WHEN 'credit_account.hold_captured.v1' THEN (
            SELECT coalesce(sum((slice->>'units')::numeric), 0) FROM jsonb_array_elements(data->'released') AS slice
        ) ELSE 0 END AS released,
        CASE WHEN type IN (
            'credit_account.hold_captured.v1', 'credit_account.hold_released.v1', 'credit_account.refunded.v1'
        ) THEN (
            SELECT coalesce(sum((slice->>'units')::numeric), 0) FROM jsonb_array_elements(data->'lapsed') AS slice
        ) ELSE 0 END AS lapsed,
        -- Of a refund, its grants were reversed before, and counted then.
        CASE WHEN type = 'credit_account.refunded.v1' THEN 0 ELSE CASE jsonb_typeof(data->'taken_back')
            WHEN 'object' THEN (data->'taken_back'->>'units')::numeric
            WHEN 'array' THEN (
                SELECT coalesce(sum((slice->>'units')::numeric), 0)
                FROM jsonb_array_elements(data->'taken_back') AS slice
            )
            ELSE 0
        END END AS taken_back
    FROM batch
),
change AS (
    SELECT
        account_id,
        max(position) AS position,
        sum(CASE type
            WHEN 'credit_account.granted.v1' THEN amount - settles
            WHEN 'credit_account.consumed.v1' THEN overage - amount -- what no slice covers is overage
            WHEN 'credit_account.held.v1' THEN -amount
            WHEN 'credit_account.hold_captured.v1' THEN released - lapsed - taken_back
            WHEN 'credit_account.hold_released.v1' THEN slices - lapsed - taken_back
            WHEN 'credit_account.grant_expired.v1' THEN -amount
            WHEN 'credit_account.grant_reversed.v1' THEN -taken_back
            WHEN 'credit_account.refunded.v1' THEN amount - owed - lapsed
            WHEN 'credit_account.purchase_refunded.v1' THEN -amount
            WHEN 'credit_account.transferred_out.v1' THEN -amount
            WHEN 'credit_account.transferred_in.v1' THEN amount - settles
        END) AS available,
        sum(CASE type
            WHEN 'credit_account.held.v1' THEN amount
            WHEN 'credit_account.hold_captured.v1' THEN -slices - released
            WHEN 'credit_account.hold_released.v1' THEN -slices
            ELSE 0
        END) AS held,
        sum(CASE type WHEN 'credit_account.granted.v1' THEN amount ELSE 0 END) AS granted,
        sum(CASE type
            WHEN 'credit_account.consumed.v1' THEN amount
            WHEN 'credit_account.refunded.v1' THEN -amount
            ELSE captured
        END) AS consumed,
        sum(CASE type WHEN 'credit_account.grant_expired.v1' THEN amount ELSE lapsed END) AS expired,
        sum(CASE type
            WHEN 'credit_account.refunded.v1' THEN 0
            WHEN 'credit_account.purchase_refunded.v1' THEN amount
            ELSE taken_back + owed
        END) AS reversed,
        sum(CASE type WHEN 'credit_account.refunded.v1' THEN -owed ELSE owed + overage - settles END) AS owed,
        sum(CASE type WHEN 'credit_account.transferred_in.v1' THEN amount ELSE 0 END) AS transferred_in,
        sum(CASE type WHEN 'credit_account.transferred_out.v1' THEN amount ELSE 0 END) AS transferred_out
    FROM told
    GROUP BY account_id
)
UPDATE credit_accounts_v1 AS account
SET available_units = account.available_units + change.available,
    held_units = account.held_units + change.held,
    granted_units = account.granted_units + change.granted,
    consumed_units = account.consumed_units + change.consumed,
    expired_units = account.expired_units + change.expired,
    reversed_units = account.reversed_units + change.reversed,
    owed_units = account.owed_units + change.owed,
    transferred_in_units = account.transferred_in_units + change.transferred_in,
    transferred_out_units = account.transferred_out_units + change.transferred_out,
    position = greatest(account.position, change.position)
FROM change
WHERE account.account_id = change.account_id;

-- on: credit_account.earned.v1
-- All that had changed by then is told. What a batch changed behind it comes with the next statement, or with its grant.
UPDATE credit_grants_v1 AS grant_row
SET day_ends_at = NULL
FROM (SELECT stream_id AS account_id, max(position) AS position FROM batch GROUP BY 1) AS told
WHERE grant_row.account_id = told.account_id
    AND grant_row.first_position < told.position
    AND grant_row.day_ends_at IS NOT NULL;

-- on: credit_account.consumed.v1, credit_account.held.v1, credit_account.hold_captured.v1, credit_account.hold_released.v1, credit_account.grant_expired.v1, credit_account.grant_reversed.v1, credit_account.refunded.v1, credit_account.purchase_refunded.v1, credit_account.transferred_out.v1, credit_account.earned.v1
-- Slice by slice: from where in the grant to where. Of what a hold lets go, a part may lapse or be taken back at once.
-- The day on which what was bought is first burnt, lapses or is refunded again ends at midnight (UTC); a row that has its
-- day keeps it, so an index sees one change a day.
WITH move (type, part, source, target) AS (
    VALUES
        ('credit_account.consumed.v1', 'slices', 'remaining', 'consumed'),
        ('credit_account.held.v1', 'slices', 'remaining', 'held'),
        ('credit_account.hold_captured.v1', 'slices', 'held', 'consumed'),
        ('credit_account.hold_captured.v1', 'released', 'held', 'remaining'),
        ('credit_account.hold_captured.v1', 'lapsed', 'remaining', 'expired'),
        ('credit_account.hold_captured.v1', 'taken_back', 'remaining', 'reversed'),
        ('credit_account.hold_released.v1', 'slices', 'held', 'remaining'),
        ('credit_account.hold_released.v1', 'lapsed', 'remaining', 'expired'),
        ('credit_account.hold_released.v1', 'taken_back', 'remaining', 'reversed'),
        ('credit_account.grant_expired.v1', 'amount', 'remaining', 'expired'),
        ('credit_account.grant_reversed.v1', 'taken_back', 'remaining', 'reversed'),
        ('credit_account.refunded.v1', 'slices', 'consumed', 'remaining'),
        ('credit_account.refunded.v1', 'settled', 'consumed', 'remaining'),
        ('credit_account.refunded.v1', 'lapsed', 'remaining', 'expired'),
        ('credit_account.refunded.v1', 'taken_back', 'consumed', 'reversed'),
        ('credit_account.purchase_refunded.v1', 'amount', 'remaining', 'reversed'),
        ('credit_account.transferred_out.v1', 'slices', 'remaining', 'transferred')
),
moved AS (
    SELECT
        position, source, target, (slice->>'units')::numeric AS units,
        coalesce(slice->>'grant_id', data->>'grant_id') AS grant_id,
        type = 'credit_account.grant_reversed.v1' AS is_reversal,
        CASE
            WHEN (source = 'consumed' OR target IN ('consumed', 'expired') OR type = 'credit_account.purchase_refunded.v1')
                AND (slice->>'units')::numeric > 0 AND position > coalesce(told.last_position, 0)
                THEN coalesce(
                    data->>'consumed_at', data->>'captured_at', data->>'released_at', data->>'expired_at',
                    data->>'refunded_at'
                )
        END AS earned_at
    FROM batch
    JOIN move USING (type)
    LEFT JOIN (
        SELECT stream_id, max(position) AS last_position
        FROM batch
        WHERE type = 'credit_account.earned.v1'
        GROUP BY stream_id
    ) AS told USING (stream_id),
        LATERAL (
            SELECT CASE jsonb_typeof(data->part) WHEN 'object' THEN jsonb_build_array(data->part) ELSE data->part END
        ) AS of_event (slices),
        -- The limit is what there is. Without it a hundred slices an event are reckoned with, and all grants are read.
        LATERAL (SELECT jsonb_array_elements(slices) LIMIT jsonb_array_length(slices)) AS each_of_them (slice)
),
change AS (
    SELECT
        grant_id,
        max(position) AS position,
        coalesce(sum(units) FILTER (WHERE target = 'remaining'), 0)
            - coalesce(sum(units) FILTER (WHERE source = 'remaining'), 0) AS remaining,
        coalesce(sum(units) FILTER (WHERE target = 'held'), 0)
            - coalesce(sum(units) FILTER (WHERE source = 'held'), 0) AS held,
        coalesce(sum(units) FILTER (WHERE target = 'consumed'), 0)
            - coalesce(sum(units) FILTER (WHERE source = 'consumed'), 0) AS consumed,
        coalesce(sum(units) FILTER (WHERE target = 'expired'), 0) AS expired,
        coalesce(sum(units) FILTER (WHERE target = 'reversed'), 0) AS reversed,
        coalesce(sum(units) FILTER (WHERE target = 'transferred'), 0) AS transferred,
        bool_or(is_reversal) AS is_reversed,
        min(earned_at)::timestamptz AS earned_at -- told in UTC, so days sort as text
    FROM moved
    GROUP BY grant_id
)
UPDATE credit_grants_v1 AS grant_row
SET remaining_units = grant_row.remaining_units + change.remaining,
    is_open = grant_row.remaining_units + change.remaining > 0,
    held_units = grant_row.held_units + change.held,
    consumed_units = grant_row.consumed_units + change.consumed,
    expired_units = grant_row.expired_units + change.expired,
    reversed_units = grant_row.reversed_units + change.reversed,
    transferred_units = grant_row.transferred_units + change.transferred,
    is_reversed = grant_row.is_reversed OR change.is_reversed,
    day_ends_at = CASE
        WHEN grant_row.payment_id IS NULL OR change.earned_at IS NULL THEN grant_row.day_ends_at
        ELSE coalesce(
            grant_row.day_ends_at,
            (date_trunc('day', change.earned_at AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC'
        )
    END,
    position = greatest(grant_row.position, change.position)
FROM change
WHERE grant_row.grant_id = change.grant_id;
