SELECT
    conversation_id,
    toInt64(bitShiftRight(min(least).place, 128)) AS began_at,
    min(least).mentor_id AS least_mentor,
    max(greatest).mentor_id AS greatest_mentor
FROM {db:Identifier}.conversation_beginnings
WHERE org = {org:String} AND ${condition}
GROUP BY conversation_id
