-- credit_accounts_as_booked: accounts as their last event left them, a row each that is there, with what time does to them that no event has said yet: `lapses` of what grants have left, and open holds that `end`.
SELECT account.account_id, account.merchant_id, account.position, convert_to(row_to_json(facts)::text, 'UTF8') AS facts
-- Each list in a query of its own: the planner cannot count it, and so does not plan anew for each length of it.
FROM unnest((SELECT %(account_ids)s::text[]), (SELECT %(merchant_ids)s::text[])) AS wanted (account_id, merchant_id),
    -- OFFSET 0: by its index, whatever the planner thought when the table was small.
    LATERAL (
        SELECT *
        FROM credit_accounts_v1 AS known
        WHERE known.account_id = wanted.account_id AND known.merchant_id = wanted.merchant_id
        OFFSET 0
    ) AS account,
    LATERAL (
        SELECT account.account_id, account.external_id, account.name, account.overage_max_units,
            account.available_units, account.held_units, account.granted_units, account.consumed_units,
            account.expired_units, account.reversed_units, account.owed_units, account.transferred_in_units,
            account.transferred_out_units, account.opened_at, account.position,
            (
                SELECT json_agg(shown) FROM (
                    SELECT grant_id, source, priority, granted_units, remaining_units, held_units, expires_at,
                        payment_id, granted_at
                    FROM credit_grants_v1 AS grant_row
                    WHERE grant_row.account_id = account.account_id AND (remaining_units > 0 OR held_units > 0)
                    ORDER BY priority, expires_at NULLS LAST, source = 'purchased', granted_at, grant_id
                    LIMIT %(grants_max)s
                ) AS shown
            ) AS grants,
            (
                SELECT json_agg(lapse) FROM (
                    SELECT expires_at AS at, sum(remaining_units) AS units
                    FROM credit_grants_v1 AS grant_row
                    WHERE grant_row.account_id = account.account_id AND is_open AND expires_at IS NOT NULL
                    GROUP BY expires_at
                ) AS lapse
            ) AS lapses,
            (
                SELECT json_agg(part) FROM (
                    SELECT hold.expires_at AS at, grant_row.expires_at AS grant_expires_at, grant_row.is_reversed,
                        sum((slice->>'units')::numeric) AS units
                    FROM credit_holds_v1 AS hold,
                        jsonb_array_elements(hold.slices) AS slice,
                        LATERAL (
                            SELECT * FROM credit_grants_v1 AS known WHERE known.grant_id = slice->>'grant_id' OFFSET 0
                        ) AS grant_row
                    WHERE hold.account_id = account.account_id AND hold.status = 'held'
                    GROUP BY hold.expires_at, grant_row.expires_at, grant_row.is_reversed
                ) AS part
            ) AS ends
    ) AS facts;

-- credit_accounts_older: a page of a merchant's accounts, newest first, behind an id when one is given.
SELECT account.*, lapsed.lapsed_units, ended.ended_units, ended.ended_expired_units, ended.ended_reversed_units
FROM credit_accounts_v1 AS account,
    LATERAL (
        SELECT coalesce(sum(remaining_units), 0) AS lapsed_units
        FROM credit_grants_v1 AS grant_row
        WHERE grant_row.account_id = account.account_id AND grant_row.is_open AND expires_at <= %(now)s
    ) AS lapsed,
    LATERAL (
        SELECT
            coalesce(sum((slice->>'units')::numeric), 0) AS ended_units,
            coalesce(sum((slice->>'units')::numeric)
                FILTER (WHERE NOT grant_row.is_reversed AND grant_row.expires_at <= %(now)s), 0) AS ended_expired_units,
            coalesce(sum((slice->>'units')::numeric) FILTER (WHERE grant_row.is_reversed), 0) AS ended_reversed_units
        FROM credit_holds_v1 AS hold,
            jsonb_array_elements(hold.slices) AS slice
        JOIN credit_grants_v1 AS grant_row ON grant_row.grant_id = slice->>'grant_id'
        WHERE hold.account_id = account.account_id AND hold.status = 'held' AND hold.expires_at <= %(now)s
    ) AS ended
WHERE account.merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR account.account_id < %(starting_after)s)
    AND (%(external_id)s::text IS NULL OR account.external_id = %(external_id)s)
ORDER BY account.account_id DESC
LIMIT %(limit)s;

-- credit_accounts_newer: the page before an id, oldest first: turn it round to show it.
SELECT account.*, lapsed.lapsed_units, ended.ended_units, ended.ended_expired_units, ended.ended_reversed_units
FROM credit_accounts_v1 AS account,
    LATERAL (
        SELECT coalesce(sum(remaining_units), 0) AS lapsed_units
        FROM credit_grants_v1 AS grant_row
        WHERE grant_row.account_id = account.account_id AND grant_row.is_open AND expires_at <= %(now)s
    ) AS lapsed,
    LATERAL (
        SELECT
            coalesce(sum((slice->>'units')::numeric), 0) AS ended_units,
            coalesce(sum((slice->>'units')::numeric)
                FILTER (WHERE NOT grant_row.is_reversed AND grant_row.expires_at <= %(now)s), 0) AS ended_expired_units,
            coalesce(sum((slice->>'units')::numeric) FILTER (WHERE grant_row.is_reversed), 0) AS ended_reversed_units
        FROM credit_holds_v1 AS hold,
            jsonb_array_elements(hold.slices) AS slice
        JOIN credit_grants_v1 AS grant_row ON grant_row.grant_id = slice->>'grant_id'
        WHERE hold.account_id = account.account_id AND hold.status = 'held' AND hold.expires_at <= %(now)s
    ) AS ended
WHERE account.merchant_id = %(merchant_id)s
    AND account.account_id > %(ending_before)s
    AND (%(external_id)s::text IS NULL OR account.external_id = %(external_id)s)
ORDER BY account.account_id
LIMIT %(limit)s;

-- grants_of_account: all grants of an account, used up or not, in the order they burn.
SELECT grant_row.*, coalesce(grant_row.expires_at <= %(now)s, false) AS has_lapsed
FROM credit_grants_v1 AS grant_row
WHERE grant_row.account_id = %(account_id)s AND grant_row.merchant_id = %(merchant_id)s
ORDER BY grant_row.priority, grant_row.expires_at NULLS LAST, grant_row.source = 'purchased', grant_row.granted_at,
    grant_row.grant_id
LIMIT %(limit)s;

-- grant_by_id: one grant of a merchant, or no row.
SELECT grant_row.*, coalesce(grant_row.expires_at <= %(now)s, false) AS has_lapsed
FROM credit_grants_v1 AS grant_row
WHERE grant_row.grant_id = %(grant_id)s AND grant_row.merchant_id = %(merchant_id)s;

-- hold_by_id: one hold of a merchant, or no row.
SELECT *
FROM credit_holds_v1
WHERE hold_id = %(hold_id)s AND merchant_id = %(merchant_id)s;

-- holds_older: a page of an account's holds, newest first, behind an id when one is given.
SELECT *
FROM credit_holds_v1
WHERE account_id = %(account_id)s
    AND merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR hold_id < %(starting_after)s)
    AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY hold_id DESC
LIMIT %(limit)s;

-- holds_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM credit_holds_v1
WHERE account_id = %(account_id)s
    AND merchant_id = %(merchant_id)s
    AND hold_id > %(ending_before)s
    AND (%(status)s::text IS NULL OR status = %(status)s)
ORDER BY hold_id
LIMIT %(limit)s;

-- holds_to_expire: whose time is up, over all merchants of one mode.
SELECT hold.hold_id AS subject_id, hold.account_id AS stream_id, hold.merchant_id, 'hold' AS kind,
    hold.expires_at AS due_at
FROM credit_holds_v1 AS hold
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE hold.status = 'held'
    AND hold.expires_at <= %(now)s
    AND merchant.livemode = %(livemode)s
    AND (hold.expires_at, hold.hold_id) > (%(after_due_at)s, %(after_subject_id)s)
ORDER BY hold.expires_at, hold.hold_id
LIMIT %(limit)s;

-- grants_to_expire: whose time is up with something left, over all merchants of one mode.
SELECT grant_row.grant_id AS subject_id, grant_row.account_id AS stream_id, grant_row.merchant_id, 'grant' AS kind,
    grant_row.expires_at AS due_at
FROM credit_grants_v1 AS grant_row
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE grant_row.is_open
    AND grant_row.expires_at IS NOT NULL
    AND grant_row.expires_at <= %(now)s
    AND merchant.livemode = %(livemode)s
    AND (grant_row.expires_at, grant_row.grant_id) > (%(after_due_at)s, %(after_subject_id)s)
ORDER BY grant_row.expires_at, grant_row.grant_id
LIMIT %(limit)s;

-- grants_to_warn: whose end is near enough to say so, with something left, over all merchants of one mode.
SELECT grant_row.grant_id AS subject_id, grant_row.account_id AS stream_id, grant_row.merchant_id, 'warning' AS kind,
    grant_row.warn_at AS due_at
FROM credit_grants_v1 AS grant_row
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE grant_row.is_open
    AND grant_row.warn_at IS NOT NULL
    AND grant_row.warn_at <= %(now)s
    AND grant_row.expires_at > %(now)s
    AND merchant.livemode = %(livemode)s
    AND (grant_row.warn_at, grant_row.grant_id) > (%(after_due_at)s, %(after_subject_id)s)
ORDER BY grant_row.warn_at, grant_row.grant_id
LIMIT %(limit)s;

-- credit_days_to_close: accounts with a day that is over of which it is not told what was earned, over all merchants of one mode.
SELECT grant_row.account_id AS subject_id, grant_row.account_id AS stream_id, grant_row.merchant_id, 'credit_day' AS kind,
    min(grant_row.day_ends_at) AS due_at
FROM credit_grants_v1 AS grant_row
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE grant_row.day_ends_at <= %(now)s AND merchant.livemode = %(livemode)s
GROUP BY grant_row.account_id, grant_row.merchant_id
HAVING (min(grant_row.day_ends_at), grant_row.account_id) > (%(after_due_at)s, %(after_subject_id)s)
ORDER BY due_at, subject_id
LIMIT %(limit)s;

-- recurring_grants_to_make: rules with a period that has begun, over all merchants of one mode.
SELECT rule.rule_id AS subject_id, rule.account_id AS stream_id, rule.merchant_id, 'recurring_grant' AS kind,
    rule.next_at AS due_at
FROM credit_recurring_grants_v1 AS rule
JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE rule.next_at IS NOT NULL
    AND rule.next_at <= %(now)s
    AND merchant.livemode = %(livemode)s
    AND (rule.next_at, rule.rule_id) > (%(after_due_at)s, %(after_subject_id)s)
ORDER BY rule.next_at, rule.rule_id
LIMIT %(limit)s;

-- recurring_grants_older: a page of an account's rules, newest first, behind an id when one is given.
SELECT *
FROM credit_recurring_grants_v1
WHERE account_id = %(account_id)s
    AND merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR rule_id < %(starting_after)s)
ORDER BY rule_id DESC
LIMIT %(limit)s;

-- recurring_grants_newer: the page before an id, oldest first: turn it round to show it.
SELECT *
FROM credit_recurring_grants_v1
WHERE account_id = %(account_id)s AND merchant_id = %(merchant_id)s AND rule_id > %(ending_before)s
ORDER BY rule_id
LIMIT %(limit)s;
