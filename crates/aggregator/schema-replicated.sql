CREATE TABLE active_daily
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `period` DateTime('UTC') COMMENT 'first instant of the day',
    `user` UInt128 COMMENT 'sipHash128 of the user_id'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/active_daily', '{replica}')
ORDER BY (org, mentor_id, period, user)
SETTINGS merge_selector_base = 10, index_granularity = 8192
COMMENT 'rollup: who was active in a day, with each mentor and with any';

CREATE MATERIALIZED VIEW active_daily_from_hourly TO active_daily
(
    `org` LowCardinality(String),
    `mentor_id` LowCardinality(String),
    `period` DateTime('UTC'),
    `user` UInt128
)
AS SELECT
    org,
    mentor_id,
    toStartOfDay(period, 'UTC') AS period,
    user
FROM active_hourly AS hourly
GROUP BY
    org,
    mentor_id,
    period,
    user;

CREATE TABLE active_hourly
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `period` DateTime('UTC') COMMENT 'first instant of the hour',
    `user` UInt128 COMMENT 'sipHash128 of the user_id'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/active_hourly', '{replica}')
ORDER BY (org, mentor_id, period, user)
SETTINGS merge_selector_base = 10, index_granularity = 8192
COMMENT 'rollup: who was active in an hour, with each mentor and with any';

CREATE MATERIALIZED VIEW active_hourly_from_incoming TO active_hourly
(
    `org` String,
    `mentor_id` String,
    `period` DateTime('UTC'),
    `user` UInt128
)
AS SELECT
    org,
    mentor_id,
    period,
    reinterpretAsUInt128(sipHash128(user_id)) AS user
FROM incoming_activity;

CREATE TABLE active_weekly
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `period` DateTime('UTC') COMMENT 'first instant of the week',
    `user` UInt128 COMMENT 'sipHash128 of the user_id'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/active_weekly', '{replica}')
ORDER BY (org, mentor_id, period, user)
SETTINGS merge_selector_base = 10, index_granularity = 8192
COMMENT 'rollup: who was active in a week, with each mentor and with any';

CREATE MATERIALIZED VIEW active_weekly_from_daily TO active_weekly
(
    `org` LowCardinality(String),
    `mentor_id` LowCardinality(String),
    `period` DateTime('UTC'),
    `user` UInt128
)
AS SELECT
    org,
    mentor_id,
    toDateTime(toMonday(period, 'UTC'), 'UTC') AS period,
    user
FROM active_daily AS daily
GROUP BY
    org,
    mentor_id,
    period,
    user;

CREATE TABLE annotations
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `annotated_at` Int64 COMMENT 'milliseconds since 1970; any year of RFC 3339, which DateTime64 cannot hold',
    `event_id` String COMMENT 'CloudEvents id',
    `user_sentiment` LowCardinality(String),
    `topics` Array(String) COMMENT 'names, in the order of the event',
    `topic_keys` Array(String) COMMENT 'names trimmed and lowercased: what the topics filter compares'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/annotations', '{replica}')
ORDER BY (org, conversation_id, annotated_at, event_id, user_sentiment, topics)
SETTINGS merge_selector_base = 10, index_granularity = 8192
COMMENT 'fact: every distinct annotation';

CREATE TABLE api_key_uses
(
    `hash` FixedString(32) COMMENT 'SHA-256 of the key',
    `last_used_at` SimpleAggregateFunction(max, Int64) COMMENT 'in milliseconds since 1970'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/api_key_uses', '{replica}')
ORDER BY hash
SETTINGS index_granularity = 8192
COMMENT 'when API keys were used last, by minutes; a table of its own, as who answers may write nothing else';

CREATE TABLE api_keys
(
    `hash` FixedString(32) COMMENT 'SHA-256 of the key, which is nowhere else: it is of 256 random bits, so no slow hash need protect it from guesses',
    `name` SimpleAggregateFunction(max, String) COMMENT 'one that lives has it to itself',
    `orgs` SimpleAggregateFunction(max, Array(String)) COMMENT 'the organisations that it opens; *: all',
    `created_at` SimpleAggregateFunction(max, Int64) COMMENT 'in milliseconds since 1970',
    `expires_at` SimpleAggregateFunction(max, Int64) COMMENT 'likewise; 0: never',
    `revoked_at` SimpleAggregateFunction(max, Int64) COMMENT 'likewise; 0: not. What revokes a key is a row with this alone'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/api_keys', '{replica}')
ORDER BY hash
SETTINGS index_granularity = 8192
COMMENT 'API keys that are made and revoked while the API runs';

CREATE TABLE changes
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `of` LowCardinality(String) COMMENT 'what changes it: messages, registrations or annotations',
    `since` DateTime('UTC') COMMENT 'the hour of the earliest message, of what is earliest of a user who registered, or of when a conversation began',
    `writer` UInt64 COMMENT 'a random number of the process that inserted it',
    `number` SimpleAggregateFunction(max, UInt64) COMMENT 'how many changes it had entered by then'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/changes', '{replica}')
ORDER BY (org, of, since, writer)
SETTINGS merge_selector_base = 10, fsync_after_insert = 1, fsync_part_directory = 1, index_granularity = 8192
COMMENT 'since when more is known of periods that have ended: what was observed of these before does not hold';

CREATE TABLE conversation_beginnings
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `least` SimpleAggregateFunction(min, Tuple(
        place UInt256,
        mentor_id String)) COMMENT 'of the earliest message: time in milliseconds * 2^128 + message_id, and the least mentor_id of its records',
    `greatest` SimpleAggregateFunction(max, Tuple(
        negated_place UInt256,
        mentor_id String)) COMMENT 'the same with each bit of the place inverted, and the greatest mentor_id'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/conversation_beginnings', '{replica}')
ORDER BY (org, conversation_id)
SETTINGS index_granularity = 256, min_compress_block_size = 4096
COMMENT 'rollup: when each conversation began, and with which mentor; read by key';

CREATE MATERIALIZED VIEW conversation_beginnings_from_incoming TO conversation_beginnings
(
    `org` String,
    `conversation_id` UInt128,
    `least` Tuple(
        UInt256,
        String),
    `greatest` Tuple(
        UInt256,
        String)
)
AS SELECT
    org,
    conversation_id,
    (place, least_mentor) AS least,
    (bitNot(place), greatest_mentor) AS greatest
FROM incoming_conversations;

CREATE TABLE conversation_topics
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `topic` String COMMENT 'a name trimmed and case-folded',
    `conversation_id` UInt128 COMMENT 'the UUID as a number'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/conversation_topics', '{replica}')
ORDER BY (org, topic, conversation_id)
SETTINGS index_granularity = 8192
COMMENT 'rollup: the conversations that any annotation gave a topic; the one that holds decides';

CREATE MATERIALIZED VIEW conversation_topics_from_annotations TO conversation_topics
(
    `org` LowCardinality(String),
    `topic` String,
    `conversation_id` UInt128
)
AS SELECT
    org,
    caseFoldUTF8(topic) AS topic,
    conversation_id
FROM annotations
ARRAY JOIN annotations.topic_keys AS topic;

CREATE TABLE conversations_by_day
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `day` Date,
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `first_at` SimpleAggregateFunction(min, Int64) COMMENT 'its earliest message of the day with the mentor, in milliseconds since 1970'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/conversations_by_day', '{replica}')
ORDER BY (org, mentor_id, day, conversation_id)
SETTINGS index_granularity = 8192
COMMENT 'rollup: the conversations that a day saw, with each mentor and with any';

CREATE TABLE database_ids
(
    `id` UUID,
    `created_at` DateTime64(9, 'UTC') DEFAULT now64(9)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/schema_replicated/database_ids', '{replica}')
ORDER BY (created_at, id)
SETTINGS index_granularity = 8192
COMMENT 'what tells this database from any other; the first row holds';

CREATE TABLE entered_registrations
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `user` UInt128 COMMENT 'sipHash128 of the user_id',
    `registered_at` SimpleAggregateFunction(min, Int64) COMMENT 'the earliest, in milliseconds since 1970'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/entered_registrations', '{replica}')
ORDER BY (org, user)
SETTINGS merge_selector_base = 10, index_granularity = 8192
COMMENT 'registrations of which it was entered since when they change the past; those that come again are passed over';

CREATE TABLE erased_conversations
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `user` UInt128 COMMENT 'as in erasures, of one who is forgotten and spoke in it; 0: nobody else did',
    `erased_at` SimpleAggregateFunction(max, Int64) COMMENT 'up to when, in milliseconds since 1970'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/erased_conversations', '{replica}')
ORDER BY (org, conversation_id, user)
SETTINGS index_granularity = 8192
COMMENT 'the conversations of those who are forgotten; where nobody else spoke, what names nobody is gone too';

CREATE TABLE erasure_keys
(
    `k0` UInt64 COMMENT 'one half of the key',
    `k1` UInt64 COMMENT 'the other',
    `created_at` DateTime64(9, 'UTC') DEFAULT now64(9)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/schema_replicated/erasure_keys', '{replica}')
ORDER BY (created_at, k0, k1)
SETTINGS index_granularity = 8192
COMMENT 'the key of SipHash by which users are known who are to be forgotten; the first row holds';

CREATE TABLE erasure_requests
(
    `id` UInt64 COMMENT 'a random number, of what is found that of its request',
    `org` LowCardinality(String) COMMENT 'organisation',
    `of` LowCardinality(String) COMMENT 'asked for: user, conversation, registrations; found: spoke, registered, alone, left; running: a process that erases',
    `user` UInt128 COMMENT 'as in erasures; 0: none',
    `rollup_user` UInt128 COMMENT 'of what was found, sipHash128 of the user_id; 0: none',
    `conversation_id` UInt128 COMMENT 'the UUID as a number; 0: none',
    `until` Int64 COMMENT 'of what was found, up to when it goes; of a process, when it was seen; in milliseconds since 1970'
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/schema_replicated/erasure_requests', '{replica}')
ORDER BY (of, org, conversation_id, user)
SETTINGS index_granularity = 8192
COMMENT 'what is still to be erased; empty once it is';

CREATE TABLE erasure_targets
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `of` LowCardinality(String) COMMENT 'spoke, registered or left, as in erasure_requests',
    `rollup_user` UInt128 COMMENT 'sipHash128 of the user_id; 0: none',
    `conversation_id` UInt128 COMMENT 'the UUID as a number; 0: none',
    `until` Int64 COMMENT 'up to when it goes, in milliseconds since 1970'
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/schema_replicated/erasure_targets', '{replica}')
ORDER BY (of, org, conversation_id, rollup_user)
SETTINGS index_granularity = 8192
COMMENT 'what is being erased, whole on every node: a mutation reads it where it runs';

CREATE TABLE erasures
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `user` UInt128 COMMENT 'a keyed hash of organisation and user_id',
    `erased_at` SimpleAggregateFunction(max, Int64) COMMENT 'up to when, in milliseconds since 1970'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/erasures', '{replica}')
ORDER BY (org, user)
SETTINGS index_granularity = 8192
COMMENT 'fact: who is to be forgotten, and stays so';

CREATE TABLE incoming_activity
(
    `org` String COMMENT 'organisation',
    `mentor_id` String COMMENT 'empty: any or none',
    `period` DateTime('UTC') COMMENT 'first instant of the hour',
    `user_id` String
)
ENGINE = `Null`
COMMENT 'what a batch adds to active_hourly: each row once';

CREATE TABLE incoming_conversations
(
    `org` String COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `place` UInt256 COMMENT 'of the earliest message: time in milliseconds * 2^128 + message_id',
    `least_mentor` String COMMENT 'the least mentor_id of its records',
    `greatest_mentor` String COMMENT 'the greatest'
)
ENGINE = `Null`
COMMENT 'what a batch adds to conversation_beginnings: each conversation once';

CREATE TABLE incoming_users
(
    `org` String COMMENT 'organisation',
    `user_id` String,
    `first_message_at` Int64 COMMENT 'earliest user message in milliseconds since 1970'
)
ENGINE = `Null`
COMMENT 'what the messages of a batch add to users: each user once';

CREATE TABLE ingestion_progress
(
    `run` UInt64 COMMENT 'a random number of a run of ingestion',
    `latest` SimpleAggregateFunction(max, Tuple(
        as_of Int64,
        newest_event_at Int64,
        lag UInt64,
        rejected UInt64)) COMMENT 'when it reported last, and the time of the newest event that it has settled (0: none), both in milliseconds since 1970; how many records its partitions hold that are not settled, and how many it has rejected'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/ingestion_progress', '{replica}')
ORDER BY run
SETTINGS index_granularity = 8192
COMMENT 'how far ingestion is, as it reports it';

CREATE TABLE latest_annotations
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `latest` SimpleAggregateFunction(max, Tuple(
        annotated_at Int64,
        event_id String,
        user_sentiment String,
        topics Array(String),
        topic_keys Array(String))) COMMENT 'the latest annotation; ties go to the greater event_id'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/latest_annotations', '{replica}')
ORDER BY (org, conversation_id)
SETTINGS index_granularity = 256, min_compress_block_size = 4096
COMMENT 'rollup: the annotation that holds';

CREATE MATERIALIZED VIEW latest_annotations_from_annotations TO latest_annotations
(
    `org` LowCardinality(String),
    `conversation_id` UInt128,
    `latest` Tuple(
        Int64,
        String,
        LowCardinality(String),
        Array(String),
        Array(String))
)
AS SELECT
    org,
    conversation_id,
    (annotated_at, event_id, toString(user_sentiment), topics, topic_keys) AS latest
FROM annotations;

CREATE TABLE messages
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number: ClickHouse orders UUIDs by their second half first',
    `time` DateTime64(3, 'UTC') COMMENT 'CloudEvents time',
    `message_id` UInt128 COMMENT 'the UUID as a number',
    `role` Enum8('user' = 1, 'assistant' = 2, 'system' = 3, 'tool' = 4),
    `user_id` String COMMENT 'empty: anonymous',
    `mentor_id` String COMMENT 'empty: none',
    `content` String CODEC(ZSTD(1)),
    `model` LowCardinality(String) COMMENT 'empty: none named',
    `digest` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(role, user_id, mentor_id, content, model)) COMMENT 'tells records of one message_id apart'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/messages', '{replica}')
PRIMARY KEY (org, conversation_id, time, message_id)
ORDER BY (org, conversation_id, time, message_id, digest)
SETTINGS index_granularity = 256, min_compress_block_size = 4096, merge_selector_base = 10
COMMENT 'fact: every distinct record of a message; read by key alone';

CREATE TABLE observed_beginnings
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `by` LowCardinality(String) COMMENT 'mentor or topic',
    `value` String COMMENT 'its mentor_id, or the name trimmed and case-folded; empty: any or none',
    `seconds` UInt32 COMMENT 'how long the period is',
    `period` DateTime('UTC') COMMENT 'its first instant',
    `conversations` UInt64 COMMENT 'how many began in it',
    `seen` UInt64 COMMENT 'a hash of the changes before its end that were entered by then'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/observed_beginnings', '{replica}')
ORDER BY (org, by, value, seconds, if(seconds = 86400, toUInt32(period), toUInt32(period) % 86400))
SETTINGS index_granularity = 256
COMMENT 'counts of periods that have ended, as they were observed; they hold while nothing is entered that may change them';

CREATE TABLE observed_users
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `grain` Enum8('hour' = 1, 'day' = 2, 'week' = 3, 'month' = 4),
    `period` DateTime('UTC') COMMENT 'its first instant',
    `until` DateTime('UTC') COMMENT 'what comes from then on is not counted: its end, or an hour within it',
    `users` UInt64 COMMENT 'how many were active',
    `by_day` Array(Tuple(
        day UInt16,
        users UInt32)) COMMENT 'how many of them registered on each day since 1970',
    `registered` UInt64 COMMENT 'how many registered, active or not; 0 with a mentor',
    `seen` UInt64 COMMENT 'a hash of the changes before the end of what is counted that were entered by then'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/observed_users', '{replica}')
ORDER BY (org, mentor_id, grain, period)
SETTINGS index_granularity = 256
COMMENT 'counts of users, as they were observed; they hold while nothing is entered that may change them';

CREATE TABLE registrations
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `user_id` String,
    `registered_at` Int64 COMMENT 'milliseconds since 1970; any year of RFC 3339'
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/schema_replicated/registrations', '{replica}')
ORDER BY (org, user_id, registered_at)
SETTINGS merge_selector_base = 10, index_granularity = 8192
COMMENT 'fact: every distinct registration';

CREATE TABLE schema_versions
(
    `version` UInt32,
    `name` String,
    `applied_at` DateTime('UTC') DEFAULT now(),
    `readable_by` UInt32 DEFAULT version COMMENT 'the least version that a program must know to read',
    `writable_by` UInt32 DEFAULT version COMMENT 'the least version that a program must know to write'
)
ENGINE = ReplacingMergeTree
ORDER BY version
SETTINGS index_granularity = 8192
COMMENT 'the migrations that were applied';

CREATE TABLE users
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `user` UInt128 COMMENT 'sipHash128 of the user_id',
    `registered_at` SimpleAggregateFunction(min, Int64) COMMENT 'earliest registration in milliseconds since 1970; the greatest Int64: none',
    `first_message_at` SimpleAggregateFunction(min, Int64) COMMENT 'earliest user message likewise'
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/schema_replicated/users', '{replica}')
ORDER BY (org, user)
SETTINGS merge_selector_base = 10, index_granularity = 8192
COMMENT 'rollup: since when a user is known';

CREATE MATERIALIZED VIEW users_from_incoming TO users
(
    `org` String,
    `user` UInt128,
    `registered_at` UInt64,
    `first_message_at` Int64
)
AS SELECT
    org,
    reinterpretAsUInt128(sipHash128(user_id)) AS user,
    9223372036854775807 AS registered_at,
    first_message_at
FROM incoming_users;

CREATE MATERIALIZED VIEW users_from_registrations TO users
(
    `org` LowCardinality(String),
    `user` UInt128,
    `registered_at` Int64,
    `first_message_at` UInt64
)
AS SELECT
    org,
    reinterpretAsUInt128(sipHash128(user_id)) AS user,
    registered_at,
    9223372036854775807 AS first_message_at
FROM registrations;

