-- on: *
INSERT INTO audit_trail_v1 (
    merchant_id, position, stream_id, version, type, actor, command_id, causation_id, correlation_id, recorded_at
)
SELECT
    merchant_id, position, stream_id, version, type, actor, command_id, causation_id, correlation_id, recorded_at
FROM jsonb_to_recordset(%(events)s) AS event (
    position bigint, stream_id text, version bigint, type text, merchant_id text, command_id uuid, actor text,
    causation_id text, correlation_id text, recorded_at timestamptz
);
