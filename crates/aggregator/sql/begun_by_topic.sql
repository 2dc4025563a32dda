SELECT period, value, sum(conversations) AS conversations, CAST([] AS Array(UInt128)) AS tied
FROM cluster('rollcall', view(
    SELECT
        toUInt32(intDiv(began_at, {period_millis:Int64}) * intDiv({period_millis:Int64}, 1000)) AS period,
        value,
        count() AS conversations
    FROM
    (
        SELECT began_at, topics
        FROM (${beginnings}) AS begun
        LEFT JOIN
        (
            SELECT conversation_id, arrayMap(key -> caseFoldUTF8(key), max(latest).topic_keys) AS topics
            FROM {db:Identifier}.latest_annotations
            WHERE org = {org:String} AND ${seen}
            GROUP BY conversation_id
        ) AS annotated USING (conversation_id)
        WHERE began_at >= {since:Int64} AND began_at < {until:Int64}
    )
    -- Empty: any or none.
    ARRAY JOIN arrayDistinct(arrayConcat([''], topics)) AS value
    GROUP BY period, value
))
GROUP BY period, value
SETTINGS
    -- What does not fit into memory goes to disk.
    join_algorithm = 'grace_hash', max_bytes_in_join = 500000000
