ALTER TABLE ${db}.${table}
DELETE WHERE (org, conversation_id) IN (SELECT org, conversation_id FROM ${db}.erasure_targets WHERE of IN (${of}))
