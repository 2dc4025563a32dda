AND first >= bitShiftLeft(toUInt256({since:Int64}), 128)
