/// ln(x) for positive finite x, to within a few units of the last place of a double, the same on every machine.
///
/// The result feeds a scale that must not differ between workers, and a C library may choose its code per processor.
/// ln(m·2^e) = e·ln 2 + 2·artanh((m-1)/(m+1)) with m in [1/√2, √2), the series summed until it stops changing.
func naturalLog(_ x: Double) -> Double {
    var exponent = Double(x.exponent)
    var mantissa = x.significand
    if mantissa > 1.4142135623730951 {
        mantissa /= 2
        exponent += 1
    }
    let ratio = (mantissa - 1) / (mantissa + 1)
    let square = ratio * ratio
    var sum = 0.0
    // |ratio| < 0.172, so 24 terms reach far below the last place; summed from the smallest.
    for k in stride(from: 24, through: 0, by: -1) {
        sum = sum * square + 1 / Double(2 * k + 1)
    }
    return exponent * 0.6931471805599453 + 2 * ratio * sum
}
