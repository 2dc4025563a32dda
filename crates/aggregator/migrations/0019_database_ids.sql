CREATE TABLE IF NOT EXISTS database_ids
(
    id UUID,
    created_at DateTime64(9, 'UTC') DEFAULT now64(9)
)
ENGINE = MergeTree
ORDER BY (created_at, id)
COMMENT 'what tells this database from any other; the first row holds'
