ALTER TABLE ${db}.registrations
DELETE WHERE (org, user_id, registered_at) IN
(
    SELECT registered.org, registered.user_id, registered.registered_at
    FROM
    (
        SELECT org, user_id, registered_at, reinterpretAsUInt128(sipHash128(user_id)) AS rollup_user
        FROM ${db}.registrations
        WHERE (org, rollup_user) IN (SELECT org, rollup_user FROM ${db}.erasure_targets WHERE of = 'registered')
    ) AS registered
    INNER JOIN
    (
        SELECT org, rollup_user, max(until) AS until
        FROM ${db}.erasure_targets
        WHERE of = 'registered'
        GROUP BY org, rollup_user
    ) AS gone ON gone.org = registered.org AND gone.rollup_user = registered.rollup_user
    WHERE registered.registered_at <= gone.until
)
