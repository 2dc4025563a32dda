SELECT conversation_id, bytes
FROM cluster('rollcall', view(
    SELECT conversation_id, max(content.size) AS bytes
    FROM {db:Identifier}.messages
    WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
    GROUP BY conversation_id
))
