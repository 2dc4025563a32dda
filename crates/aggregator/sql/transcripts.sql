SELECT ${columns}
FROM conversation_days
WHERE org = {org:String} ${where}
${group}
