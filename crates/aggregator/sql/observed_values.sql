SELECT value, sum(of_period) AS conversations
FROM
(
    -- What several have observed is there several times until it is merged.
    SELECT value, any(conversations) AS of_period
    FROM {db:Identifier}.{observed:Identifier}
    WHERE org = {org:String} AND by = {by:String} AND value != ''
        AND (seconds, toUnixTimestamp(period), seen) IN CAST(? AS Array(Tuple(UInt32, UInt32, UInt64)))
    GROUP BY value, seconds, period
)
GROUP BY value
