SELECT period, value, sum(conversations) AS conversations, groupArrayArray(tied) AS tied
FROM cluster('rollcall', view(
    SELECT
        toUInt32(intDiv(began_at, {period_millis:Int64}) * intDiv({period_millis:Int64}, 1000)) AS period,
        least_mentor AS value,
        countIf(least_mentor = greatest_mentor) AS conversations,
        groupArrayIf(conversation_id, least_mentor != greatest_mentor) AS tied
    FROM (${beginnings})
    WHERE began_at >= {since:Int64} AND began_at < {until:Int64}
    GROUP BY period, value
))
GROUP BY period, value
SETTINGS optimize_aggregation_in_order = 1
