CREATE TABLE IF NOT EXISTS erasure_keys
(
    k0 UInt64 COMMENT 'one half of the key',
    k1 UInt64 COMMENT 'the other',
    created_at DateTime64(9, 'UTC') DEFAULT now64(9)
)
ENGINE = MergeTree
ORDER BY (created_at, k0, k1)
COMMENT 'the key of SipHash by which users are known who are to be forgotten; the first row holds'
