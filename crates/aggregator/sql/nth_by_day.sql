SELECT conversation_id, began_at, count() OVER () AS candidates
FROM cluster('rollcall', view(
    SELECT conversation_id, toInt64(min(first_at)) AS began_at
    FROM {db:Identifier}.conversations_by_day
    WHERE org = {org:String} AND mentor_id = {mentor:String} AND day = toDate({first_day:UInt16}) ${given}
    GROUP BY conversation_id
))
ORDER BY began_at DESC, conversation_id
LIMIT 1 OFFSET {passed:UInt64}
SETTINGS use_index_for_in_with_subqueries = 0
