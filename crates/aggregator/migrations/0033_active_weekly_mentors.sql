ALTER TABLE active_weekly MODIFY COLUMN mentor_id LowCardinality(String)
