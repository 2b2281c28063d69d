-- plan_by_id: one plan of a merchant, or no row.
SELECT *
FROM plans_v1
WHERE plan_id = %(plan_id)s AND merchant_id = %(merchant_id)s;

-- plans_older: a page of a merchant's plans, by id from the largest down, behind one when it is given.
SELECT *
FROM plans_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR plan_id < %(starting_after)s)
    AND (%(code)s::text IS NULL OR code = %(code)s)
ORDER BY plan_id DESC
LIMIT %(limit)s;

-- plans_newer: the page before an id, the smallest first: turn it round to show it.
SELECT *
FROM plans_v1
WHERE merchant_id = %(merchant_id)s
    AND plan_id > %(ending_before)s
    AND (%(code)s::text IS NULL OR code = %(code)s)
ORDER BY plan_id
LIMIT %(limit)s;
