ALTER TABLE conversations
    ADD COLUMN IF NOT EXISTS first_day SimpleAggregateFunction(min, UInt16)
        MATERIALIZED toUInt16(intDiv(bitShiftRight(first, 128), 86400000))
        COMMENT 'the day of the earliest message, in days since 1970: narrow, for totals'
        AFTER first
