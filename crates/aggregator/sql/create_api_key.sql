INSERT INTO {into:Identifier} (hash, name, orgs, created_at, expires_at)
SELECT
    unhex({hash:String}),
    {name:String},
    {orgs:Array(String)},
    toUnixTimestamp64Milli(now64(3)) AS now,
    if({valid_for:Int64} = 0, 0, now + {valid_for:Int64})
