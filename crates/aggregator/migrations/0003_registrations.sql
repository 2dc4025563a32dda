CREATE TABLE IF NOT EXISTS registrations
(
    org LowCardinality(String) COMMENT 'organisation',
    user_id String,
    registered_at Int64 COMMENT 'milliseconds since 1970; any year of RFC 3339'
)
ENGINE = ReplacingMergeTree
ORDER BY (org, user_id, registered_at)
SETTINGS merge_selector_base = 10
COMMENT 'fact: every distinct registration'
