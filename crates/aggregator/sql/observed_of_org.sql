SELECT value, seconds, period, conversations, seen
FROM {db:Identifier}.{observed:Identifier}
WHERE org = {org:String} AND by = {by:String}
ORDER BY seconds, period
