import Kernels

/// Quantiles of the standard normal distribution in equal steps: an index of random bits picks a normal number.
enum NormalTable {
    /// The middles of 2^`bitCount` equal parts of the distribution, ascending and symmetric.
    static func quantiles(bitCount: Int) -> [Double] {
        let count = 1 << bitCount
        let lower = (0..<count / 2).map { quantile((Double($0) + 0.5) / Double(count)) }
        return lower + lower.reversed().map { -$0 }
    }

    /// The number below which a share of `p` lies, for 0 < p <= 1/2; within 2e-9 of itself.
    ///
    /// Source: P. Acklam's rational approximation of the inverse normal distribution (2003).
    private static func quantile(_ p: Double) -> Double {
        let a = [
            -3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02, 1.383577518672690e+02,
            -3.066479806614716e+01, 2.506628277459239e+00,
        ]
        let b = [
            -5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
            -1.328068155288572e+01, 1,
        ]
        let c = [
            -7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00, -2.549732539343734e+00,
            4.374664141464968e+00, 2.938163982698783e+00,
        ]
        let d = [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00, 1]
        func polynomial(_ coefficients: [Double], _ x: Double) -> Double { coefficients.reduce(0) { $0 * x + $1 } }
        if p < 0.02425 {
            let q = (-2 * MathFunctions.log(p)).squareRoot()
            return polynomial(c, q) / polynomial(d, q)
        }
        let q = p - 0.5
        return polynomial(a, q * q) * q / polynomial(b, q * q)
    }
}
