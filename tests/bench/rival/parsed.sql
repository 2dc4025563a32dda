CREATE TABLE parsed
(
    type LowCardinality(String),
    id String,
    time DateTime64(3, 'UTC'),
    org String,
    data Tuple(
        message_id String,
        conversation_id String,
        role String,
        user_id String,
        mentor_id String,
        content String,
        model String,
        topics Array(Tuple(name String)),
        user_sentiment String,
        annotated_at String,
        registered_at String)
)
ENGINE = Null
