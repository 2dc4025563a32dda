AND conversation_id IN (
    WITH folded AS (
        SELECT
            conversation_id,
            min(first) AS began,
            min(least_mentor) AS least,
            max(greatest_mentor) AS greatest
        FROM conversations
        WHERE org = {org:String}
        GROUP BY conversation_id
        HAVING least <= {mentor:String} AND greatest >= {mentor:String}
    )
    SELECT conversation_id
    FROM folded
    WHERE least = greatest
    UNION ALL
    SELECT conversation_id
    FROM messages
    WHERE org = {org:String} AND (conversation_id, time, message_id) IN (
        SELECT
            conversation_id,
            fromUnixTimestamp64Milli(toInt64(bitShiftRight(began, 128)), 'UTC'),
            toUInt128(began)
        FROM folded
        WHERE least < greatest
    )
    GROUP BY conversation_id
    HAVING argMin(mentor_id, (content, user_id, mentor_id)) = {mentor:String}
)
