-- reconciliation_by_id: one run, or no row.
SELECT *
FROM reconciliations_v1
WHERE merchant_id = %(merchant_id)s AND reconciliation_id = %(reconciliation_id)s;

-- reconciliation_before: the last run of a chain up to a position, or no row.
SELECT *
FROM reconciliations_v1
WHERE merchant_id = %(merchant_id)s AND chain_id = %(chain_id)s AND position <= %(until)s
ORDER BY position DESC
LIMIT 1;

-- reconciliations_older: a page of runs, the last first, behind an id when one is given.
SELECT *
FROM reconciliations_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR position < (
        SELECT position FROM reconciliations_v1 WHERE reconciliation_id = %(starting_after)s::text))
    AND (%(network)s::text IS NULL OR network = %(network)s OR chain_id = %(network)s)
ORDER BY position DESC
LIMIT %(limit)s;

-- reconciliations_newer: the page before an id, the first first: turn it round to show it.
SELECT *
FROM reconciliations_v1
WHERE merchant_id = %(merchant_id)s
    AND position > (SELECT position FROM reconciliations_v1 WHERE reconciliation_id = %(ending_before)s::text)
    AND (%(network)s::text IS NULL OR network = %(network)s OR chain_id = %(network)s)
ORDER BY position
LIMIT %(limit)s;

-- exception_by_id: one exception, or no row.
SELECT *
FROM reconciliation_exceptions_v1
WHERE merchant_id = %(merchant_id)s AND exception_id = %(exception_id)s;

-- exceptions_open: the exceptions of a chain that were open at a position, oldest first, behind one of them.
SELECT *
FROM reconciliation_exceptions_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(chain_id)s::text IS NULL OR chain_id = %(chain_id)s)
    AND position <= %(until)s
    AND (resolved_position IS NULL OR resolved_position > %(until)s)
    AND position > %(after)s
ORDER BY position
LIMIT %(limit)s;

-- exceptions_older: a page of exceptions, the last first, behind an id when one is given.
SELECT *
FROM reconciliation_exceptions_v1
WHERE merchant_id = %(merchant_id)s
    AND (%(starting_after)s::text IS NULL OR position < (
        SELECT position FROM reconciliation_exceptions_v1 WHERE exception_id = %(starting_after)s::text))
    AND (%(status)s::text IS NULL OR (resolved_at IS NULL) = (%(status)s = 'open'))
    AND (%(network)s::text IS NULL OR network = %(network)s OR chain_id = %(network)s)
    AND (%(reconciliation_id)s::text IS NULL OR reconciliation_id = %(reconciliation_id)s)
ORDER BY position DESC
LIMIT %(limit)s;

-- exceptions_newer: the page before an id, the first first: turn it round to show it.
SELECT *
FROM reconciliation_exceptions_v1
WHERE merchant_id = %(merchant_id)s
    AND position > (
        SELECT position FROM reconciliation_exceptions_v1 WHERE exception_id = %(ending_before)s::text)
    AND (%(status)s::text IS NULL OR (resolved_at IS NULL) = (%(status)s = 'open'))
    AND (%(network)s::text IS NULL OR network = %(network)s OR chain_id = %(network)s)
    AND (%(reconciliation_id)s::text IS NULL OR reconciliation_id = %(reconciliation_id)s)
ORDER BY position
LIMIT %(limit)s;
