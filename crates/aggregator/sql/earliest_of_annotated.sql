SELECT org, toInt64(bitShiftRight(min(least).place, 128)) AS earliest
FROM conversation_beginnings
WHERE (org, conversation_id) IN CAST(? AS Array(Tuple(String, UInt128)))
GROUP BY org
