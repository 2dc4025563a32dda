ALTER TABLE users
ADD INDEX IF NOT EXISTS known_at (
    -- The greatest Int64 stands for none, and would make of any granule one that may have the latest.
    if(registered_at = 9223372036854775807, -9223372036854775808, registered_at),
    if(first_message_at = 9223372036854775807, -9223372036854775808, first_message_at)
) TYPE minmax GRANULARITY 1
