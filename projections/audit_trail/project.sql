-- on: *
INSERT INTO audit_trail_v1 (
    merchant_id, position, stream_id, version, type, actor, command_id, causation_id, correlation_id, recorded_at
)
SELECT
    merchant_id, position, stream_id, version, type, actor, command_id, causation_id, correlation_id, recorded_at
FROM batch;
