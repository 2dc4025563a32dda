SELECT count() FROM ${requests}
WHERE of = 'running' AND id != ${run} AND until > toUnixTimestamp64Milli(now64(3)) - ${silence}
