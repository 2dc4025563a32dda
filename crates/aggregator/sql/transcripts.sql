SELECT ${columns}
FROM conversations FINAL
${among}
WHERE org = {org:String} ${where}
