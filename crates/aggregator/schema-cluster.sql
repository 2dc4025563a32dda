CREATE TABLE active_daily_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `period` DateTime('UTC') COMMENT 'first instant of the day',
    `user` UInt128 COMMENT 'sipHash128 of the user_id'
)
ENGINE = Distributed('rollcall', 'rollcall', 'active_daily', sipHash64(user))
COMMENT 'rollup: who was active in a day, with each mentor and with any';

CREATE TABLE active_hourly_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `period` DateTime('UTC') COMMENT 'first instant of the hour',
    `user` UInt128 COMMENT 'sipHash128 of the user_id'
)
ENGINE = Distributed('rollcall', 'rollcall', 'active_hourly', sipHash64(user))
COMMENT 'rollup: who was active in an hour, with each mentor and with any';

CREATE TABLE active_weekly_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `period` DateTime('UTC') COMMENT 'first instant of the week',
    `user` UInt128 COMMENT 'sipHash128 of the user_id'
)
ENGINE = Distributed('rollcall', 'rollcall', 'active_weekly', sipHash64(user))
COMMENT 'rollup: who was active in a week, with each mentor and with any';

CREATE TABLE annotations_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `annotated_at` Int64 COMMENT 'milliseconds since 1970; any year of RFC 3339, which DateTime64 cannot hold',
    `event_id` String COMMENT 'CloudEvents id',
    `user_sentiment` LowCardinality(String),
    `topics` Array(String) COMMENT 'names, in the order of the event',
    `topic_keys` Array(String) COMMENT 'names trimmed and lowercased: what the topics filter compares'
)
ENGINE = Distributed('rollcall', 'rollcall', 'annotations', sipHash64(conversation_id))
COMMENT 'fact: every distinct annotation';

CREATE TABLE api_key_uses_all
(
    `hash` FixedString(32) COMMENT 'SHA-256 of the key',
    `last_used_at` SimpleAggregateFunction(max, Int64) COMMENT 'in milliseconds since 1970'
)
ENGINE = Distributed('rollcall', 'rollcall', 'api_key_uses', sipHash64(hash))
COMMENT 'when API keys were used last, by minutes; a table of its own, as who answers may write nothing else';

CREATE TABLE api_keys_all
(
    `hash` FixedString(32) COMMENT 'SHA-256 of the key, which is nowhere else: it is of 256 random bits, so no slow hash need protect it from guesses',
    `name` SimpleAggregateFunction(max, String) COMMENT 'one that lives has it to itself',
    `orgs` SimpleAggregateFunction(max, Array(String)) COMMENT 'the organisations that it opens; *: all',
    `created_at` SimpleAggregateFunction(max, Int64) COMMENT 'in milliseconds since 1970',
    `expires_at` SimpleAggregateFunction(max, Int64) COMMENT 'likewise; 0: never',
    `revoked_at` SimpleAggregateFunction(max, Int64) COMMENT 'likewise; 0: not. What revokes a key is a row with this alone'
)
ENGINE = Distributed('rollcall', 'rollcall', 'api_keys', sipHash64(hash))
COMMENT 'API keys that are made and revoked while the API runs';

CREATE TABLE changes_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `of` LowCardinality(String) COMMENT 'what changes it: messages, registrations or annotations',
    `since` DateTime('UTC') COMMENT 'the ten minutes of the earliest message, the hour of what is earliest of a user who registered, or of when a conversation began',
    `writer` UInt64 COMMENT 'a random number of the process that inserted it',
    `number` SimpleAggregateFunction(max, UInt64) COMMENT 'how many changes it had entered by then'
)
ENGINE = Distributed('rollcall', 'rollcall', 'changes', sipHash64(org, since))
COMMENT 'since when more is known of periods that have ended: what was observed of these before does not hold';

CREATE TABLE conversation_beginnings_all
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
ENGINE = Distributed('rollcall', 'rollcall', 'conversation_beginnings', sipHash64(conversation_id))
COMMENT 'rollup: when each conversation began, and with which mentor; read by key';

CREATE TABLE conversation_topics_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `topic` String COMMENT 'a name trimmed and case-folded',
    `conversation_id` UInt128 COMMENT 'the UUID as a number'
)
ENGINE = Distributed('rollcall', 'rollcall', 'conversation_topics', sipHash64(conversation_id))
COMMENT 'rollup: the conversations that any annotation gave a topic; the one that holds decides';

CREATE TABLE conversations_by_day_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `mentor_id` LowCardinality(String) COMMENT 'empty: any or none',
    `day` Date,
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `first_at` SimpleAggregateFunction(min, Int64) COMMENT 'its earliest message of the day with the mentor, in milliseconds since 1970'
)
ENGINE = Distributed('rollcall', 'rollcall', 'conversations_by_day', sipHash64(conversation_id))
COMMENT 'rollup: the conversations that a day saw, with each mentor and with any';

CREATE TABLE entered_registrations_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `user` UInt128 COMMENT 'sipHash128 of the user_id',
    `registered_at` SimpleAggregateFunction(min, Int64) COMMENT 'the earliest, in milliseconds since 1970'
)
ENGINE = Distributed('rollcall', 'rollcall', 'entered_registrations', sipHash64(user))
COMMENT 'registrations of which it was entered since when they change the past; those that come again are passed over';

CREATE TABLE erased_conversations_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `user` UInt128 COMMENT 'as in erasures, of one who is forgotten and spoke in it; 0: nobody else did',
    `erased_at` SimpleAggregateFunction(max, Int64) COMMENT 'up to when, in milliseconds since 1970'
)
ENGINE = Distributed('rollcall', 'rollcall', 'erased_conversations', sipHash64(conversation_id))
COMMENT 'the conversations of those who are forgotten; where nobody else spoke, what names nobody is gone too';

CREATE TABLE erasure_keys_all
(
    `k0` UInt64 COMMENT 'one half of the key',
    `k1` UInt64 COMMENT 'the other',
    `created_at` DateTime64(9, 'UTC') DEFAULT now64(9)
)
ENGINE = Distributed('rollcall', 'rollcall', 'erasure_keys', sipHash64(k0, k1))
COMMENT 'the key of SipHash by which users are known who are to be forgotten; the first row holds';

CREATE TABLE erasure_requests_all
(
    `id` UInt64 COMMENT 'a random number, of what is found that of its request',
    `org` LowCardinality(String) COMMENT 'organisation',
    `of` LowCardinality(String) COMMENT 'asked for: user, conversation, registrations; found: spoke, registered, alone, left; running: a process that erases',
    `user` UInt128 COMMENT 'as in erasures; 0: none',
    `rollup_user` UInt128 COMMENT 'of what was found, sipHash128 of the user_id; 0: none',
    `conversation_id` UInt128 COMMENT 'the UUID as a number; 0: none',
    `until` Int64 COMMENT 'of what was found, up to when it goes; of a process, when it was seen; in milliseconds since 1970'
)
ENGINE = Distributed('rollcall', 'rollcall', 'erasure_requests', sipHash64(org, user, conversation_id))
COMMENT 'what is still to be erased; empty once it is';

CREATE TABLE erasures_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `user` UInt128 COMMENT 'a keyed hash of organisation and user_id',
    `erased_at` SimpleAggregateFunction(max, Int64) COMMENT 'up to when, in milliseconds since 1970'
)
ENGINE = Distributed('rollcall', 'rollcall', 'erasures', sipHash64(user))
COMMENT 'fact: who is to be forgotten, and stays so';

CREATE TABLE incoming_activity_all
(
    `org` String COMMENT 'organisation',
    `mentor_id` String COMMENT 'empty: any or none',
    `period` DateTime('UTC') COMMENT 'first instant of the hour',
    `user_id` String
)
ENGINE = Distributed('rollcall', 'rollcall', 'incoming_activity', sipHash64(reinterpretAsUInt128(sipHash128(user_id))))
COMMENT 'what a batch adds to active_hourly: each row once';

CREATE TABLE incoming_conversations_all
(
    `org` String COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number',
    `place` UInt256 COMMENT 'of the earliest message: time in milliseconds * 2^128 + message_id',
    `least_mentor` String COMMENT 'the least mentor_id of its records',
    `greatest_mentor` String COMMENT 'the greatest'
)
ENGINE = Distributed('rollcall', 'rollcall', 'incoming_conversations', sipHash64(conversation_id))
COMMENT 'what a batch adds to conversation_beginnings: each conversation once';

CREATE TABLE incoming_users_all
(
    `org` String COMMENT 'organisation',
    `user_id` String,
    `first_message_at` Int64 COMMENT 'earliest user message in milliseconds since 1970'
)
ENGINE = Distributed('rollcall', 'rollcall', 'incoming_users', sipHash64(reinterpretAsUInt128(sipHash128(user_id))))
COMMENT 'what the messages of a batch add to users: each user once';

CREATE TABLE ingestion_progress_all
(
    `run` UInt64 COMMENT 'a random number of a run of ingestion',
    `latest` SimpleAggregateFunction(max, Tuple(
        as_of Int64,
        newest_event_at Int64,
        lag UInt64,
        rejected UInt64)) COMMENT 'when it reported last, and the time of the newest event that it has settled (0: none), both in milliseconds since 1970; how many records its partitions hold that are not settled, and how many it has rejected'
)
ENGINE = Distributed('rollcall', 'rollcall', 'ingestion_progress', sipHash64(run, latest))
COMMENT 'how far ingestion is, as it reports it';

CREATE TABLE latest_annotations_all
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
ENGINE = Distributed('rollcall', 'rollcall', 'latest_annotations', sipHash64(conversation_id))
COMMENT 'rollup: the annotation that holds';

CREATE TABLE messages_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `conversation_id` UInt128 COMMENT 'the UUID as a number: ClickHouse orders UUIDs by their second half first',
    `time` DateTime64(3, 'UTC') COMMENT 'CloudEvents time',
    `message_id` UInt128 COMMENT 'the UUID as a number' CODEC(NONE),
    `role` Enum8('user' = 1, 'assistant' = 2, 'system' = 3, 'tool' = 4),
    `user_id` String COMMENT 'empty: anonymous',
    `mentor_id` String COMMENT 'empty: none',
    `content` String CODEC(ZSTD(1)),
    `model` LowCardinality(String) COMMENT 'empty: none named',
    `digest` UInt128 DEFAULT reinterpretAsUInt128(sipHash128(role, user_id, mentor_id, content, model)) COMMENT 'tells records of one message_id apart; a batch brings a hash of its own' CODEC(NONE)
)
ENGINE = Distributed('rollcall', 'rollcall', 'messages', sipHash64(conversation_id))
COMMENT 'fact: every distinct record of a message; read by key alone';

CREATE TABLE observed_beginnings_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `by` LowCardinality(String) COMMENT 'mentor or topic',
    `value` String COMMENT 'its mentor_id, or the name trimmed and case-folded; empty: any or none',
    `seconds` UInt32 COMMENT 'how long the period is',
    `period` DateTime('UTC') COMMENT 'its first instant',
    `conversations` UInt64 COMMENT 'how many began in it',
    `seen` UInt64 COMMENT 'a hash of the changes before its end that were entered by then'
)
ENGINE = Distributed('rollcall', 'rollcall', 'observed_beginnings', sipHash64(org, by, value, period))
COMMENT 'counts of periods that have ended, as they were observed; they hold while nothing is entered that may change them';

CREATE TABLE observed_users_all
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
ENGINE = Distributed('rollcall', 'rollcall', 'observed_users', sipHash64(org, mentor_id, period))
COMMENT 'counts of users, as they were observed; they hold while nothing is entered that may change them';

CREATE TABLE registrations_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `user_id` String,
    `registered_at` Int64 COMMENT 'milliseconds since 1970; any year of RFC 3339'
)
ENGINE = Distributed('rollcall', 'rollcall', 'registrations', sipHash64(reinterpretAsUInt128(sipHash128(user_id))))
COMMENT 'fact: every distinct registration';

CREATE TABLE users_all
(
    `org` LowCardinality(String) COMMENT 'organisation',
    `user` UInt128 COMMENT 'sipHash128 of the user_id',
    `registered_at` SimpleAggregateFunction(min, Int64) COMMENT 'earliest registration in milliseconds since 1970; the greatest Int64: none',
    `first_message_at` SimpleAggregateFunction(min, Int64) COMMENT 'earliest user message likewise'
)
ENGINE = Distributed('rollcall', 'rollcall', 'users', sipHash64(user))
COMMENT 'rollup: since when a user is known';

