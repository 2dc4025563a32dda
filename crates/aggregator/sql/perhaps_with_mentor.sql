PREWHERE org = {org:String} AND toUInt32(cityHash64(conversation_id)) IN (
    SELECT toUInt32(cityHash64(conversation_id))
    FROM conversations
    WHERE org = {org:String} AND least_mentor <= {mentor:String} AND greatest_mentor >= {mentor:String}
)
