SELECT period
FROM active_daily
WHERE org = {org:String} AND mentor_id = ''
ORDER BY period
LIMIT 1
