INSERT INTO {into:Identifier} (org, of, since, writer, number)
SELECT DISTINCT org, 'messages', toDateTime(0, 'UTC'), {writer:UInt64}, {number:UInt64}
FROM cluster('rollcall', view(
    SELECT DISTINCT org
    FROM (SELECT org FROM {db:Identifier}.conversations_by_day UNION ALL SELECT org FROM {db:Identifier}.users)
))
