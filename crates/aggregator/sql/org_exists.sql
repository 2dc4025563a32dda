SELECT count() > 0 AS found
FROM cluster('rollcall', view(
    (SELECT 1 FROM {db:Identifier}.users WHERE org = {org:String} LIMIT 1)
    UNION ALL
    (SELECT 1 FROM {db:Identifier}.conversation_beginnings WHERE org = {org:String} LIMIT 1)
    UNION ALL
    (SELECT 1 FROM {db:Identifier}.latest_annotations WHERE org = {org:String} LIMIT 1)
    UNION ALL
    (SELECT 1 FROM {db:Identifier}.erasures WHERE org = {org:String} LIMIT 1)
))
