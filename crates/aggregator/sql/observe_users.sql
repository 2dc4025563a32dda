INSERT INTO {into:Identifier} (org, mentor_id, grain, period, until, users, by_day, registered, seen)
SELECT {org:String}, mentor_id, {grain:String}, period, until, users, by_day, registered, seen
FROM (${users_by_day})
SETTINGS optimize_aggregation_in_order = 1
