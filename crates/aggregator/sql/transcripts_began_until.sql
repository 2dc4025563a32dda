AND day <= toDate({last_day:UInt16})
