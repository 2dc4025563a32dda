SELECT intDiv(registered - {first_millis:Int64}, {step_millis:Int64}) AS bucket, count() AS users, 0 AS spans_parts
FROM (${registered})
WHERE registered >= {since:Int64} AND registered < {until:Int64}
GROUP BY bucket
