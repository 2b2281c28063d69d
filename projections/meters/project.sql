-- on: meter.defined.v1
INSERT INTO meters_v1 (meter_id, merchant_id, event_type, aggregation, definition, defined_at, position)
SELECT stream_id, merchant_id, data->>'event_type', data->>'aggregation', data, (data->>'defined_at')::timestamptz, position
FROM batch;

-- on: meter.archived.v1
UPDATE meters_v1 AS meter
SET archived_at = (event.data->>'archived_at')::timestamptz, position = event.position
FROM batch AS event
WHERE meter.meter_id = event.stream_id;
