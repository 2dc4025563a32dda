CREATE TABLE IF NOT EXISTS api_keys
(
    hash FixedString(32) COMMENT 'SHA-256 of the key, which is nowhere else: it is of 256 random bits, so no slow hash need protect it from guesses',
    name SimpleAggregateFunction(max, String) COMMENT 'one that lives has it to itself',
    orgs SimpleAggregateFunction(max, Array(String)) COMMENT 'the organisations that it opens; *: all',
    created_at SimpleAggregateFunction(max, Int64) COMMENT 'in milliseconds since 1970',
    expires_at SimpleAggregateFunction(max, Int64) COMMENT 'likewise; 0: never',
    revoked_at SimpleAggregateFunction(max, Int64) COMMENT 'likewise; 0: not. What revokes a key is a row with this alone'
)
ENGINE = AggregatingMergeTree
ORDER BY hash
COMMENT 'API keys that are made and revoked while the API runs'
