SELECT ${columns}
FROM conversations FINAL
WHERE org = {org:String} ${where}
