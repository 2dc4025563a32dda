-- The name of a part tells its first insert and its last: those that came since a list was made are left out.
toInt64(splitByChar('_', _part)[2]) <= {last_block:Int64}
