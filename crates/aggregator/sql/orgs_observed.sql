SELECT DISTINCT toString(org)
FROM observed_conversations
