INSERT INTO {into:Identifier} (hash, revoked_at)
SELECT unhex(arrayJoin({hashes:Array(String)})), toUnixTimestamp64Milli(now64(3))
