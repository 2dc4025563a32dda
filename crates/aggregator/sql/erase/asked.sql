-- With what processes that died have left.
SELECT DISTINCT id
FROM ${requests}
WHERE of IN ('user', 'conversation', 'registrations')
    OR of = 'running' AND until < toUnixTimestamp64Milli(now64(3)) - ${silence}
