ALTER TABLE changes COMMENT COLUMN since
    'the ten minutes of the earliest message, the hour of what is earliest of a user who registered, or of when a conversation began'
