ALTER TABLE active_daily MODIFY COLUMN mentor_id LowCardinality(String)
