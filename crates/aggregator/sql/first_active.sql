SELECT period
FROM cluster('rollcall', view(
    SELECT period
    FROM {db:Identifier}.active_daily
    WHERE org = {org:String} AND mentor_id = ''
    ORDER BY period
    LIMIT 1
))
ORDER BY period
LIMIT 1
