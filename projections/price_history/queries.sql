-- price_history: what a thing cost in another, newest first, before a time when one is given: each sample at the other's price of that time.
SELECT base.at, base.dollars, base.source, quote.dollars AS quote_dollars, quote.at AS quote_at
FROM price_history_v1 AS base
LEFT JOIN LATERAL (
    SELECT dollars, at
    FROM price_history_v1
    WHERE price_id = %(quote_id)s AND at <= base.at AND at > base.at - interval '1 hour'
    ORDER BY at DESC
    LIMIT 1
) AS quote ON true
WHERE base.price_id = %(base_id)s
    AND (%(before)s::timestamptz IS NULL OR base.at < %(before)s)
    AND (%(since)s::timestamptz IS NULL OR base.at >= %(since)s)
    AND (%(quote_id)s::text IS NULL OR quote.dollars IS NOT NULL)
ORDER BY base.at DESC
LIMIT %(limit)s;

-- quote_history: the same of a dollar: each sample of the other thing turned round is what a dollar cost in it.
SELECT at, dollars AS quote_dollars, source
FROM price_history_v1
WHERE price_id = %(quote_id)s
    AND (%(before)s::timestamptz IS NULL OR at < %(before)s)
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
ORDER BY at DESC
LIMIT %(limit)s;

-- price_alerts: what was odd about prices, newest first, behind a position when one is given.
SELECT price_id, position, symbol, type, at, facts
FROM price_history_alerts_v1
WHERE price_id = ANY (%(price_ids)s::text[])
    AND (%(before_position)s::bigint IS NULL OR position < %(before_position)s)
ORDER BY position DESC
LIMIT %(limit)s;

-- prices_then: of each price, the newest sample that was known at a time, none older than asked for; one that was filled in later where there was none.
SELECT asked.price_id, sample.at, sample.dollars, sample.source
FROM unnest(%(price_ids)s::text[]) AS asked (price_id)
CROSS JOIN LATERAL (
    (
        SELECT 1 AS choice, at, dollars, source
        FROM price_history_v1
        WHERE price_id = asked.price_id AND recorded_at <= %(then)s
            AND (%(since)s::timestamptz IS NULL OR at > %(since)s)
        ORDER BY at DESC
        LIMIT 1
    )
    UNION ALL
    (
        SELECT 2, at, dollars, source
        FROM price_history_v1
        WHERE price_id = asked.price_id AND at <= %(then)s
            AND (%(since)s::timestamptz IS NULL OR at > %(since)s)
        ORDER BY at DESC
        LIMIT 1
    )
    ORDER BY choice
    LIMIT 1
) AS sample
ORDER BY asked.price_id;
