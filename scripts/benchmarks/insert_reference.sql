-- make_schema: a place of its own, that is dropped in the end.
CREATE SCHEMA reference;

-- make_events: the columns of the ledger's table, and nothing but a primary key.
CREATE TABLE reference.events AS SELECT * FROM public.events WITH NO DATA;

-- make_commands: the same of the other table that a command is written to.
CREATE TABLE reference.commands AS SELECT * FROM public.commands WITH NO DATA;

-- number_events: the key.
ALTER TABLE reference.events ADD COLUMN row_number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;

-- number_commands: the key.
ALTER TABLE reference.commands ADD COLUMN row_number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;

-- columns: of the ledger's table, in their order.
SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum)
FROM pg_attribute
WHERE attrelid = %(table)s::regclass AND attnum > 0 AND NOT attisdropped;

-- copy_events_out: what the last commands were written as.
COPY (
    SELECT e.* FROM public.events AS e
    JOIN (SELECT command_id FROM public.commands ORDER BY position DESC LIMIT {commands}) AS c
        USING (command_id)
    WHERE e.position > (SELECT max(position) FROM public.commands) - 4 * {commands}
) TO STDOUT (FORMAT BINARY);

-- copy_commands_out: and their own rows.
COPY (SELECT * FROM public.commands ORDER BY position DESC LIMIT {commands}) TO STDOUT (FORMAT BINARY);

-- copy_events_in: the same bytes again.
COPY reference.events ({columns}) FROM STDIN (FORMAT BINARY);

-- copy_commands_in: the same bytes again.
COPY reference.commands ({columns}) FROM STDIN (FORMAT BINARY);

-- empty_events: between two measurements.
TRUNCATE reference.events;

-- empty_commands: between two measurements.
TRUNCATE reference.commands;

-- drop_schema: as if nothing had been.
DROP SCHEMA reference CASCADE;
