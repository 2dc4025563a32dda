DROP TABLE IF EXISTS conversation_days
