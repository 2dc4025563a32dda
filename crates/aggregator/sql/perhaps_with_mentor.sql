PREWHERE org = {org:String} AND conversation_id IN (
    SELECT conversation_id
    FROM conversations
    WHERE org = {org:String} AND least_mentor <= {mentor:String} AND greatest_mentor >= {mentor:String}
)
