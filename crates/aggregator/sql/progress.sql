SELECT
    max(latest).as_of AS as_of,
    max(latest).newest_event_at AS newest_event_at,
    max(latest).lag AS lag,
    max(latest).rejected AS rejected,
    toUnixTimestamp64Milli(now64(3)) AS now
FROM {db:Identifier}.{progress:Identifier}
GROUP BY run
