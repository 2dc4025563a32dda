CREATE TABLE IF NOT EXISTS ingestion_progress
(
    run UInt64 COMMENT 'a random number of a run of ingestion',
    latest SimpleAggregateFunction(max, Tuple(
        as_of Int64,
        newest_event_at Int64,
        lag UInt64,
        rejected UInt64)) COMMENT 'when it reported last, and the time of the newest event that it has settled (0: none), both in milliseconds since 1970; how many records its partitions hold that are not settled, and how many it has rejected'
)
ENGINE = AggregatingMergeTree
ORDER BY run
COMMENT 'how far ingestion is, as it reports it'
