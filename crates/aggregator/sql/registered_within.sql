user IN (
    -- A row of a user may say what the others of the same user do not, so these are candidates.
    SELECT user
    FROM {db:Identifier}.users
    WHERE org = {org:String} AND ((${registered_at_within}) OR (${first_message_at_within}))
)
