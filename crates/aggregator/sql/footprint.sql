SELECT
    sum(messages) AS messages,
    sum(conversations) AS conversations,
    sum(alone) AS alone,
    sum(registrations) AS registrations
FROM cluster('rollcall', view(
    SELECT
        sum(of_user) AS messages,
        countIf(of_user > 0) AS conversations,
        countIf(of_user > 0 AND of_others = 0) AS alone,
        0 AS registrations
    FROM
    (
        SELECT
            countIf(user_id = {user_id:String} AND toUnixTimestamp64Milli(time) <= {until:Int64}) AS of_user,
            countIf(user_id NOT IN ('', {user_id:String})) AS of_others
        FROM {db:Identifier}.messages
        WHERE org = {org:String} AND conversation_id IN
        (
            SELECT conversation_id FROM {db:Identifier}.messages WHERE org = {org:String} AND user_id = {user_id:String}
        )
        GROUP BY conversation_id
    )
    UNION ALL
    SELECT 0, 0, 0, count()
    FROM {db:Identifier}.registrations
    WHERE org = {org:String} AND user_id = {user_id:String} AND registered_at <= {until:Int64}
))
