SELECT groupBitXor(hash) AS mark
FROM
(
    SELECT cityHash64(org, of, id, max(until)) AS hash
    FROM
    (
        SELECT org, 'user' AS of, user AS id, erased_at AS until FROM {db:Identifier}.{erasures:Identifier}
        UNION ALL
        SELECT org, 'conversation', conversation_id, erased_at FROM {db:Identifier}.{conversations:Identifier} WHERE user = 0
    )
    GROUP BY org, of, id
)
