user IN (
    -- A row of a user may say what the others of the same user do not, so these are candidates. They are written as the index
    -- `known_at` has them, so that parts without anyone of this time are passed over.
    SELECT user
    FROM {db:Identifier}.users
    WHERE org = {org:String} AND ((${registered_at_within}) OR (${first_message_at_within}))
)
