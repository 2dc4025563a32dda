SELECT since, cityHash64(of, since, writer, max(number)) AS hash
FROM {db:Identifier}.{changes:Identifier}
WHERE org = {org:String} AND of IN ('messages', {of:String})
GROUP BY of, since, writer
