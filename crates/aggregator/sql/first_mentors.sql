-- The contract has it that of several records of the earliest message the least content is the earliest.
SELECT conversation_id, mentor_id
FROM cluster('rollcall', view(
    SELECT conversation_id, argMin(mentor_id, (time, message_id, content, user_id, mentor_id)) AS mentor_id
    FROM {db:Identifier}.messages
    WHERE org = {org:String} AND conversation_id IN CAST(? AS Array(UInt128))
    GROUP BY conversation_id
))
