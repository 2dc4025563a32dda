INSERT INTO ${into} (org, user, registered_at)
SELECT org, user, registered_at FROM (${unentered})
