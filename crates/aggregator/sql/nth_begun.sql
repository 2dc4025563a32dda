SELECT conversation_id, began_at
FROM cluster('rollcall', view(
    SELECT conversation_id, began_at
    FROM (${beginnings})
    WHERE intDiv(began_at, 86400000) = {first_day:UInt16}
        AND (
            {mentor:String} = '' OR (least_mentor = {mentor:String} AND greatest_mentor = {mentor:String})
            ${or_is_tied}
        )
    ORDER BY began_at DESC, conversation_id
    LIMIT {passed:UInt64} + 1
))
ORDER BY began_at DESC, conversation_id
LIMIT 1 OFFSET {passed:UInt64}
