SELECT DISTINCT grain, period, until, seen
FROM cluster('rollcall', view(
    SELECT DISTINCT CAST(grain AS Int8) AS grain, period, until, seen
    FROM {db:Identifier}.observed_users
    WHERE org = {org:String} AND ${condition}
))
ORDER BY grain, period, until
