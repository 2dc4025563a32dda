SELECT toString(org)
FROM ${table}
WHERE mentor_id = ''
GROUP BY org
HAVING count() >= {least:UInt64}
