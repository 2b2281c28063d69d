-- entitlements_of: what several accounts may use, each of its merchant, and what they used of it lately, as JSON; a row for each, also when there is nothing.
SELECT
    asked.account_id, asked.merchant_id,
    coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'feature', feature, 'kind', kind, 'meter_id', meter_id, 'limit', most::text, 'period', period))
        FROM entitlement_grants_v1 AS granted
        WHERE granted.account_id = asked.account_id AND granted.merchant_id = asked.merchant_id AND NOT granted.revoked
    ), '[]')::text AS grants,
    coalesce((
        SELECT jsonb_agg(jsonb_build_object('meter_id', used.meter_id, 'day', used.day, 'used', used.used::text))
        FROM (
            SELECT DISTINCT meter_id
            FROM entitlement_grants_v1 AS granted
            WHERE granted.account_id = asked.account_id AND granted.merchant_id = asked.merchant_id AND NOT granted.revoked
                AND granted.meter_id IS NOT NULL
        ) AS metered
        CROSS JOIN LATERAL (
            SELECT *
            FROM entitlement_use_v1 AS use
            WHERE use.account_id = asked.account_id AND use.meter_id = metered.meter_id
            ORDER BY day DESC
            LIMIT 64
        ) AS used
    ), '[]')::text AS days
FROM unnest(%(account_ids)s::text[], %(merchant_ids)s::text[]) AS asked (account_id, merchant_id);
