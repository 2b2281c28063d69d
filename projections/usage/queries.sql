-- usage_by_period: what an account used of each meter, by period and group, the earliest first. `late` is the part that was recorded at or after a time; `granularity` is hour, day, month or none. Time-weighted sums are value × seconds.
WITH asked AS (
    SELECT meter.meter_id, meter.aggregation
    FROM meters_v1 AS meter
    WHERE meter.merchant_id = %(merchant_id)s AND (%(meter_id)s::text IS NULL OR meter.meter_id = %(meter_id)s)
), hours AS (
    SELECT
        known.meter_id, asked.aggregation,
        CASE WHEN %(granularity)s::text = 'none' THEN %(from)s::timestamptz
            ELSE date_trunc(%(granularity)s, known.hour, 'UTC') END AS period,
        coalesce((SELECT jsonb_object_agg(key, known.grouped->key) FROM unnest(%(group_by)s::text[]) AS key), '{}') AS grouped,
        known.hour, known.recorded_hour, known.items, known.sum, known.minimum, known.maximum, known.latest, known.latest_at,
        known.position
    FROM usage_hours_v1 AS known JOIN asked USING (meter_id)
    WHERE known.account_id = %(account_id)s AND known.merchant_id = %(merchant_id)s
        AND known.hour >= %(from)s AND known.hour < %(to)s
        AND known.recorded_hour >= %(recorded_from)s AND known.recorded_hour < %(recorded_to)s
), added AS (
    SELECT
        meter_id, aggregation, period, grouped, sum(items) AS items, sum(sum) AS sum, min(minimum) AS minimum,
        max(maximum) AS maximum, (array_agg(latest ORDER BY latest_at DESC NULLS LAST, position DESC))[1] AS latest,
        sum(items) FILTER (WHERE recorded_hour >= %(late_from)s) AS late_items,
        sum(sum) FILTER (WHERE recorded_hour >= %(late_from)s) AS late_sum, max(position) AS position
    FROM hours
    GROUP BY meter_id, aggregation, period, grouped
), distinct_values AS (
    SELECT meter_id, period, grouped, count(*) AS many
    FROM (
        SELECT DISTINCT
            known.meter_id,
            CASE WHEN %(granularity)s::text = 'none' THEN %(from)s::timestamptz
                ELSE date_trunc(%(granularity)s, known.hour, 'UTC') END AS period,
            coalesce((SELECT jsonb_object_agg(key, known.grouped->key) FROM unnest(%(group_by)s::text[]) AS key), '{}') AS grouped,
            known.value
        FROM usage_values_v1 AS known JOIN asked USING (meter_id)
        WHERE known.account_id = %(account_id)s AND known.hour >= %(from)s AND known.hour < %(to)s
            AND known.recorded_hour >= %(recorded_from)s AND known.recorded_hour < %(recorded_to)s
    ) AS each
    GROUP BY meter_id, period, grouped
), levels AS (
    SELECT
        meter_id, whole, at, level,
        coalesce(lead(at) OVER (PARTITION BY meter_id, whole ORDER BY at), least(%(to)s::timestamptz, %(now)s)) AS until
    FROM (
        SELECT DISTINCT ON (known.meter_id, known.grouped, known.at)
            known.meter_id, known.grouped AS whole, known.at, known.level
        FROM usage_samples_v1 AS known JOIN asked USING (meter_id)
        WHERE known.account_id = %(account_id)s AND known.at < %(to)s
            AND known.recorded_hour >= %(recorded_from)s AND known.recorded_hour < %(recorded_to)s
        ORDER BY known.meter_id, known.grouped, known.at, known.position DESC
    ) AS last
), weighted AS (
    SELECT
        meter_id, period,
        coalesce((SELECT jsonb_object_agg(key, whole->key) FROM unnest(%(group_by)s::text[]) AS key), '{}') AS grouped,
        sum(level * extract(epoch FROM least(until, upper_end) - greatest(at, period))) AS area
    FROM levels,
        generate_series(
            CASE WHEN %(granularity)s::text = 'none' THEN %(from)s::timestamptz
                ELSE date_trunc(%(granularity)s, greatest(at, %(from)s::timestamptz), 'UTC') END,
            CASE WHEN %(granularity)s::text = 'none' THEN %(from)s::timestamptz ELSE until END,
            CASE WHEN %(granularity)s::text = 'none' THEN interval '1 month' ELSE ('1 ' || %(granularity)s)::interval END
        ) AS period,
        LATERAL (
            SELECT CASE WHEN %(granularity)s::text = 'none' THEN %(to)s::timestamptz
                ELSE period + ('1 ' || %(granularity)s)::interval END
        ) AS ends (upper_end)
    WHERE until > greatest(at, %(from)s::timestamptz) AND least(until, upper_end) > greatest(at, period)
    GROUP BY 1, 2, 3
)
SELECT
    coalesce(added.meter_id, weighted.meter_id) AS meter_id,
    coalesce(added.aggregation, 'weighted_sum') AS aggregation,
    coalesce(added.period, weighted.period) AS period,
    coalesce(added.grouped, weighted.grouped) AS grouped,
    coalesce(added.items, 0) AS items,
    CASE coalesce(added.aggregation, 'weighted_sum')
        WHEN 'count' THEN added.items
        WHEN 'sum' THEN added.sum
        WHEN 'min' THEN added.minimum
        WHEN 'max' THEN added.maximum
        WHEN 'average' THEN trim_scale(round(added.sum / added.items, 18))
        WHEN 'unique' THEN distinct_values.many
        WHEN 'latest' THEN added.latest
        ELSE trim_scale(coalesce(weighted.area, 0))
    END AS quantity,
    coalesce(added.late_items, 0) AS late_items,
    CASE added.aggregation
        WHEN 'count' THEN coalesce(added.late_items, 0)
        WHEN 'sum' THEN coalesce(added.late_sum, 0)
    END AS late_quantity
FROM added
FULL JOIN weighted USING (meter_id, period, grouped)
LEFT JOIN distinct_values USING (meter_id, period, grouped)
ORDER BY 3, 1, 4
LIMIT %(limit)s;

-- usage_limits_of: the limits of an account, by meter.
SELECT meter_id, period, soft, hard, set_at, position
FROM usage_limits_v1
WHERE account_id = %(account_id)s AND merchant_id = %(merchant_id)s AND NOT removed
ORDER BY meter_id, period
LIMIT %(limit)s;

-- usage_thresholds_of: what was said of an account's limits, the latest first.
SELECT *
FROM usage_thresholds_v1
WHERE account_id = %(account_id)s AND merchant_id = %(merchant_id)s
ORDER BY position DESC
LIMIT %(limit)s;

-- accounts_called: the accounts of a merchant that are meant by these ids or external ids; two rows for a name at most, which is one too many.
SELECT asked.subject, account.account_id
FROM unnest(%(subjects)s::text[]) AS asked (subject)
CROSS JOIN LATERAL (
    (SELECT account_id FROM credit_accounts_v1 WHERE account_id = asked.subject AND merchant_id = %(merchant_id)s)
    UNION ALL
    (
        SELECT account_id
        FROM credit_accounts_v1
        WHERE merchant_id = %(merchant_id)s AND external_id = asked.subject AND account_id <> asked.subject
        LIMIT 2
    )
) AS account;
