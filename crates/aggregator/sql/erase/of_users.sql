ALTER TABLE ${db}.${table}
DELETE WHERE (org, user) IN (SELECT org, rollup_user FROM ${db}.erasure_targets WHERE of IN ('spoke', 'registered'))
