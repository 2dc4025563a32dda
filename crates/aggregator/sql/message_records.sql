SELECT
    conversation_id,
    toUnixTimestamp64Milli(time) AS at,
    message_id,
    digest,
    toString(role) AS role,
    user_id,
    mentor_id,
    content,
    toString(model) AS model
FROM {db:Identifier}.{messages:Identifier}
WHERE org = {org:String}
    AND at >= {start:Int64} AND at < {end:Int64}
    AND (empty({mentor:String}) OR mentor_id = {mentor:String})
    -- Two conditions that the primary key can use, and the one that they follow from.
    AND conversation_id >= {conversation:UInt128}
    AND (conversation_id > {conversation:UInt128} OR time >= fromUnixTimestamp64Milli({after:Int64}, 'UTC'))
    AND (conversation_id, at, message_id, digest) > ({conversation:UInt128}, {after:Int64}, {message:UInt128}, {digest:UInt128})
ORDER BY conversation_id, time, message_id, digest
