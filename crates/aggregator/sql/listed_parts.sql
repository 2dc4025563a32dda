-- The name of a part holds the numbers of its first and its last insert: those that came since a list was made are left out.
toInt64(splitByChar('_', _part)[2]) <= {last_block:Int64}
