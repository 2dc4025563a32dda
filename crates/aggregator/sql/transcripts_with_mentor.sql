AND least_mentor <= {mentor:String} AND greatest_mentor >= {mentor:String}
AND (
    least_mentor = greatest_mentor
    OR conversation_id IN (
        SELECT conversation_id
        FROM messages
        WHERE org = {org:String} AND (conversation_id, time, message_id) IN (
            SELECT
                conversation_id,
                fromUnixTimestamp64Milli(toInt64(bitShiftRight(first, 128)), 'UTC'),
                toUInt128(first)
            FROM conversations FINAL
            ${among}
            WHERE org = {org:String} AND least_mentor <= {mentor:String} AND greatest_mentor >= {mentor:String}
                AND least_mentor < greatest_mentor
        )
        GROUP BY conversation_id
        HAVING argMin(mentor_id, (content, user_id, mentor_id)) = {mentor:String}
    )
)
