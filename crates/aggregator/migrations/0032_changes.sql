CREATE TABLE IF NOT EXISTS changes
(
    org LowCardinality(String) COMMENT 'organisation',
    of LowCardinality(String) COMMENT 'what changes it: messages, registrations or annotations',
    since DateTime('UTC') COMMENT 'the hour of the earliest message, of what is earliest of a user who registered, or of when a conversation began',
    writer UInt64 COMMENT 'a random number of the process that inserted it',
    number SimpleAggregateFunction(max, UInt64) COMMENT 'how many changes it had entered by then'
)
ENGINE = AggregatingMergeTree
ORDER BY (org, of, since, writer)
SETTINGS merge_selector_base = 10, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'since when more is known of periods that have ended: what was observed of these before does not hold'
