SELECT DISTINCT toString(org)
FROM ${table}
