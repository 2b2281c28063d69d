-- The segments that are kept in files, with what proves the files to be theirs. They are the oldest ones of a
-- partition without a gap: `partitions.archived_until` is the last position of the last of them.
CREATE TABLE archives (
    partition         integer NOT NULL REFERENCES partitions,
    first_position    bigint NOT NULL,
    last_position     bigint NOT NULL,
    first_recorded_at timestamptz NOT NULL,
    last_recorded_at  timestamptz NOT NULL,
    merkle_root       bytea NOT NULL,  -- RFC 6962, over the events as lines of JSON
    manifest          text NOT NULL,   -- the name of the file
    manifest_sha256   bytea NOT NULL,  -- it has the hashes of the other files
    directory         text,            -- where they are, if not where all archives are
    bytes             bigint NOT NULL,
    archived_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (partition, first_position)
);

-- drop_segment: the table of a segment that is archived, if it is there. It waits for those who read in it, and
-- those who come later wait behind it: call it with a short lock_timeout.
CREATE OR REPLACE FUNCTION drop_segment(in_partition integer, first_position bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM archives AS a
        WHERE a.partition = in_partition AND a.first_position = drop_segment.first_position
    ) THEN
        RAISE EXCEPTION 'the segment of partition % from % on is not archived', in_partition, first_position;
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS events_%s_%s', in_partition, first_position);
END $$;

-- attach_segment: the table of a segment becomes part of the log again. What it holds was checked when it was
-- filled; the constraint says so, and spares those who append the wait for a second look.
CREATE OR REPLACE FUNCTION attach_segment(in_partition integer, first bigint, last bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'ALTER TABLE events_%s ATTACH PARTITION events_%s_%s FOR VALUES FROM (%s) TO (%s)',
        in_partition, in_partition, first, first, last + 1
    );
    EXECUTE format('ALTER TABLE events_%s_%s DROP CONSTRAINT within', in_partition, first);
END $$;
