INSERT INTO {into:Identifier} (run, latest)
SELECT {run:UInt64}, ({as_of:Int64}, {newest_event_at:Int64}, {lag:UInt64}, {rejected:UInt64})
