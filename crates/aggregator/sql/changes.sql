SELECT since, sum(cityHash64(since, writer, number)) AS hash
FROM
(
    SELECT since, writer, max(number) AS number
    FROM changes
    WHERE org = {org:String}
    GROUP BY since, writer
)
GROUP BY since
ORDER BY since
