INSERT INTO entered_registrations (org, user, registered_at)
SELECT org, user, registered_at FROM (${unentered})
