SELECT org, min(earliest) AS earliest
FROM cluster('rollcall', view(
    SELECT org, toInt64(bitShiftRight(min(least).place, 128)) AS earliest
    FROM {db:Identifier}.conversation_beginnings
    WHERE (org, conversation_id) IN CAST(? AS Array(Tuple(String, UInt128)))
    GROUP BY org
))
GROUP BY org
