CREATE MATERIALIZED VIEW IF NOT EXISTS users_from_incoming TO users AS
SELECT
    org,
    reinterpretAsUInt128(sipHash128(user_id)) AS user,
    9223372036854775807 AS registered_at,
    first_message_at
FROM incoming_users
