ALTER TABLE conversations
    DROP COLUMN IF EXISTS first_user,
    DROP COLUMN IF EXISTS last_model
