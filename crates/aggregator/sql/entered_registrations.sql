SELECT org, user, registered_at
FROM {db:Identifier}.entered_registrations
WHERE (org, user) IN
(
    WITH arrayJoin(arrayZip(${orgs}, ${user_ids})) AS registration
    SELECT registration.1, reinterpretAsUInt128(sipHash128(registration.2))
)
