SELECT reinterpretAsUInt128(sipHash128(mentor_id, {grain:String}, period, until)) AS row
FROM cluster('rollcall', view(SELECT * FROM {db:Identifier}.observed_users WHERE org = {org:String}))
WHERE grain = {grain:String} AND has(${starts}, toUnixTimestamp(period))
    AND toUnixTimestamp(until) = transform(toUnixTimestamp(period), ${starts}, ${untils}, 0)
    AND seen = transform(toUnixTimestamp(period), ${starts}, ${marks}, toUInt64(0))
    AND (toString(mentor_id), period, users, by_day, registered) GLOBAL NOT IN (
        SELECT mentor_id, period, users, by_day, registered
        FROM (${users_by_day})
    )
