SELECT conversation_id
FROM messages
WHERE org = {org:String} AND (conversation_id, time, message_id) IN (
    SELECT conversation_id, began.1, began.2
    FROM (${candidates})
    WHERE length(all_mentors) > 1
)
GROUP BY conversation_id
HAVING argMin(mentor_id, (content, user_id, mentor_id)) = {mentor:String}
