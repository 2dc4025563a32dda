ALTER TABLE active_hourly MODIFY COLUMN mentor_id LowCardinality(String)
