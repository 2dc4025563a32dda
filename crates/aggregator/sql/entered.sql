SELECT since, sum(cityHash64(of, since, writer, number)) AS hash
FROM
(
    SELECT of, since, writer, max(number) AS number
    FROM {db:Identifier}.changes
    WHERE org = {org:String} AND of IN ('messages', {of:String})
    GROUP BY of, since, writer
)
GROUP BY since
