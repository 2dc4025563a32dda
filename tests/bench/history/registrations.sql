INSERT INTO ${into} (org, user_id, registered_at)
SELECT
    '${org}',
    concat('user-', toString(number)),
    toInt64(${start}) + (toInt64(sipHash64('${org}', number) % 730) - 365) * 86400000
FROM numbers(${population})
