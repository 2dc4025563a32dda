SELECT count() > 0 AS found
FROM
(
    (SELECT 1 FROM users WHERE org = {org:String} LIMIT 1)
    UNION ALL
    (SELECT 1 FROM conversation_beginnings WHERE org = {org:String} LIMIT 1)
    UNION ALL
    (SELECT 1 FROM latest_annotations WHERE org = {org:String} LIMIT 1)
)
