INSERT INTO conversation_changes
SELECT DISTINCT org, toDateTime(0, 'UTC'), {writer:UInt64}, {number:UInt64}
FROM conversations_by_day
