CREATE TABLE IF NOT EXISTS api_key_uses
(
    hash FixedString(32) COMMENT 'SHA-256 of the key',
    last_used_at SimpleAggregateFunction(max, Int64) COMMENT 'in milliseconds since 1970'
)
ENGINE = AggregatingMergeTree
ORDER BY hash
COMMENT 'when API keys were used last, by minutes; a table of its own, as who answers may write nothing else'
