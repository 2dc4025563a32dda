SELECT ${columns}
FROM conversations FINAL
${among}
WHERE org = {org:String} AND first_day >= {first_day:UInt16} AND first_day <= {last_day:UInt16} ${where}
