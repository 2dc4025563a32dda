INSERT INTO ${requests} (id, of, until)
SELECT ${run}, 'running', toUnixTimestamp64Milli(now64(3))
