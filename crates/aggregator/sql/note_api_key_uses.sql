INSERT INTO {into:Identifier} (hash, last_used_at)
SELECT unhex(used.1), toUnixTimestamp64Milli(now64(3)) - used.2
FROM (SELECT arrayJoin(arrayZip({hashes:Array(String)}, {ages:Array(Int64)})) AS used)
