CREATE MATERIALIZED VIEW IF NOT EXISTS users_from_registrations TO users AS
SELECT
    org,
    reinterpretAsUInt128(sipHash128(user_id)) AS user,
    registered_at,
    9223372036854775807 AS first_message_at
FROM registrations
