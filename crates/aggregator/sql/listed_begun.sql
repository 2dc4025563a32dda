SELECT conversation_id, began_at
FROM cluster('rollcall', view(
    SELECT conversation_id, began_at
    FROM (${beginnings})
    WHERE intDiv(began_at, 86400000) BETWEEN {first_day:UInt16} AND {last_day:UInt16}
        AND ({mentor:String} = '' OR {mentor:String} BETWEEN least_mentor AND greatest_mentor)
        AND (began_at < {after:Int64} OR (began_at = {after:Int64} AND conversation_id > {after_id:UInt128}))
    ORDER BY began_at DESC, conversation_id
    LIMIT {limit:UInt64}
))
ORDER BY began_at DESC, conversation_id
LIMIT {limit:UInt64}
