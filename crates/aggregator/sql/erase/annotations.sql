ALTER TABLE ${db}.annotations
DELETE WHERE (org, conversation_id, annotated_at, event_id) IN
(
    SELECT annotated.org, annotated.conversation_id, annotated.annotated_at, annotated.event_id
    FROM
    (
        SELECT org, conversation_id, annotated_at, event_id
        FROM ${db}.annotations
        WHERE (org, conversation_id) IN (SELECT org, conversation_id FROM ${db}.erasure_targets WHERE of = 'left')
    ) AS annotated
    INNER JOIN
    (
        SELECT org, conversation_id, max(until) AS until
        FROM ${db}.erasure_targets
        WHERE of = 'left'
        GROUP BY org, conversation_id
    ) AS gone ON gone.org = annotated.org AND gone.conversation_id = annotated.conversation_id
    WHERE annotated.annotated_at <= gone.until
)
