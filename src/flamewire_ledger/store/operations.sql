-- clock_offset: how many seconds the sandbox runs ahead.
SELECT offset_seconds FROM sandbox_clock;

-- advance_clock: let the sandbox run further ahead; how far now.
UPDATE sandbox_clock SET offset_seconds = offset_seconds + %(seconds)s RETURNING offset_seconds;

-- note_chain: from now on transfers may come on this chain.
INSERT INTO deposit_indexes (chain_id, next) VALUES (%(chain_id)s, 0)
ON CONFLICT (chain_id) DO NOTHING;

-- take_deposit_indexes: a block of indexes that no chain of a namespace has had; the first behind it.
INSERT INTO deposit_indexes AS d (chain_id, next)
SELECT %(namespace)s, coalesce(max(given.next), 0) + %(count)s
FROM deposit_indexes AS given
WHERE starts_with(given.chain_id, %(namespace)s || ':')
ON CONFLICT (chain_id) DO UPDATE SET next = d.next + %(count)s
RETURNING next;

-- deposits_since: when the first index of a chain was taken.
SELECT since FROM deposit_indexes WHERE chain_id = %(chain_id)s;
