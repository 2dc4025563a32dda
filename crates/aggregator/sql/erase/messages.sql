ALTER TABLE ${db}.messages
DELETE WHERE (org, conversation_id, time, message_id, digest) IN
(
    SELECT said.org, said.conversation_id, said.time, said.message_id, said.digest
    FROM
    (
        SELECT
            org,
            conversation_id,
            time,
            message_id,
            digest,
            if(user_id = '', toUInt128(0), reinterpretAsUInt128(sipHash128(user_id))) AS rollup_user
        FROM ${db}.messages
        WHERE (org, conversation_id) IN (SELECT org, conversation_id FROM ${db}.erasure_targets WHERE of IN ('spoke', 'left'))
    ) AS said
    INNER JOIN
    (
        SELECT org, conversation_id, rollup_user, max(until) AS until
        FROM ${db}.erasure_targets
        WHERE of IN ('spoke', 'left')
        GROUP BY org, conversation_id, rollup_user
    ) AS gone
        ON gone.org = said.org AND gone.conversation_id = said.conversation_id AND gone.rollup_user = said.rollup_user
    WHERE toUnixTimestamp64Milli(said.time) <= gone.until
)
