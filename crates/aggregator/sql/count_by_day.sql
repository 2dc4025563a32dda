SELECT day, sum(conversations) AS conversations, groupArrayArray(tied) AS tied
FROM cluster('rollcall', view(
    SELECT
        toUInt16(intDiv(began_at, 86400000)) AS day,
        countIf({mentor:String} = '' OR (least_mentor = {mentor:String} AND greatest_mentor = {mentor:String})) AS conversations,
        groupArrayIf(
            conversation_id,
            {mentor:String} != '' AND least_mentor != greatest_mentor AND {mentor:String} BETWEEN least_mentor AND greatest_mentor
        ) AS tied
    FROM (${beginnings})
    WHERE day BETWEEN {first_day:UInt16} AND {last_day:UInt16} AND began_at >= {since:Int64}
    GROUP BY day
))
GROUP BY day
SETTINGS
    -- Most of an organisation is counted in the order of the key, which takes no memory. Those that have a topic are few, but
    -- in every granule.
    optimize_aggregation_in_order = ${by_key},
    use_index_for_in_with_subqueries = ${by_key}
