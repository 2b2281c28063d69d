-- webhook_endpoint_by_id: one endpoint of a merchant, or of any, or no row.
SELECT *
FROM webhook_endpoints_v1
WHERE endpoint_id = %(endpoint_id)s AND (%(merchant_id)s::text IS NULL OR merchant_id = %(merchant_id)s);

-- webhook_endpoints: endpoints of a merchant, or of all, with the merchant's name, the oldest first.
SELECT endpoint.*, merchant.name AS merchant_name
FROM webhook_endpoints_v1 AS endpoint
LEFT JOIN merchants_v1 AS merchant USING (merchant_id)
WHERE (%(merchant_id)s::text IS NULL OR endpoint.merchant_id = %(merchant_id)s) AND endpoint.endpoint_id > %(after)s
ORDER BY endpoint.endpoint_id
LIMIT %(limit)s;
