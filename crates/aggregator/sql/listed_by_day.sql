SELECT conversation_id, began_at
FROM cluster('rollcall', view(
    SELECT conversation_id, toInt64(first_at) AS began_at
    FROM {db:Identifier}.conversations_by_day
    WHERE org = {org:String} AND mentor_id = {mentor:String} AND ${on_days}
        AND (began_at < {after:Int64} OR (began_at = {after:Int64} AND conversation_id > {after_id:UInt128})) ${given}
    ORDER BY began_at DESC, conversation_id
    LIMIT {limit:UInt64}
))
ORDER BY began_at DESC, conversation_id
LIMIT {limit:UInt64}
SETTINGS
    -- The latest day is found in the index. The conversations of a topic are in every granule of a day: to look for them there
    -- takes longer.
    use_index_for_in_with_subqueries = ${by_key}
