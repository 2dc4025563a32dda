AND first < bitShiftLeft(toUInt256({until:Int64}), 128)
