SELECT toString(org)
FROM conversations_by_day
WHERE mentor_id = ''
GROUP BY org
HAVING count() >= {least:UInt64}
