SELECT toString(org)
FROM cluster('rollcall', view(
    SELECT org, count() AS rows
    FROM {db:Identifier}.${table}
    WHERE mentor_id = ''
    GROUP BY org
))
GROUP BY org
HAVING sum(rows) >= {least:UInt64}
