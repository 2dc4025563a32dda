INSERT INTO changes
SELECT DISTINCT org, 'messages', toDateTime(0, 'UTC'), {writer:UInt64}, {number:UInt64}
FROM (SELECT org FROM conversations_by_day UNION ALL SELECT org FROM users)
