SELECT DISTINCT CAST(grain AS Int8) AS grain, period, until, seen
FROM {db:Identifier}.{observed:Identifier}
WHERE org = {org:String} AND ${condition}
ORDER BY grain, period, until
