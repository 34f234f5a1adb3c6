import Foundation
import Kernels
import Testing

/// Our elementary functions against the C library's in double precision.
struct MathFunctionsTests {
    @Test func `exp is within about an ulp everywhere`() {
        var worst = 0.0
        for index in 0..<2_000_000 {
            let x = -104 + Float(index) * (192.7 / 2_000_000)
            worst = max(worst, ulps(MathFunctions.exp(x), Foundation.exp(Double(x))))
        }
        #expect(worst < 1.02)
    }

    @Test func `exp ends where floats end`() {
        #expect(MathFunctions.exp(Float(0)) == 1)
        #expect(MathFunctions.exp(-Float.infinity) == 0)
        #expect(MathFunctions.exp(Float(-1000)) == 0)
        #expect(MathFunctions.exp(Float.infinity) == .infinity)
        #expect(MathFunctions.exp(Float(89)) == .infinity)
        #expect(MathFunctions.exp(Float.nan).isNaN)
        #expect(MathFunctions.exp(Float(-103.9)) == Float.leastNonzeroMagnitude)
        #expect(MathFunctions.exp(Double.nan).isNaN && MathFunctions.exp(Double(-800)) == 0)
        #expect(MathFunctions.exp(Double(800)) == .infinity)
    }

    @Test func `log is right in every bit that a float has`() {
        var random = MatrixRandom(seed: 4)
        for _ in 0..<200_000 {
            let x = Float(bitPattern: UInt32(truncatingIfNeeded: random.next()) & 0x7f7f_ffff)
            guard x > 0 else { continue }
            #expect(ulps(MathFunctions.log(x), Foundation.log(Double(x))) <= 0.5001)
        }
        #expect(MathFunctions.log(Float(1)) == 0)
        #expect(MathFunctions.log(Float(0)) == -.infinity)
        #expect(MathFunctions.log(Float(-1)).isNaN)
        #expect(MathFunctions.log(Float.infinity) == .infinity)
    }

    @Test func `double precision is good to the last place or so`() {
        var random = MatrixRandom(seed: 5)
        for _ in 0..<200_000 {
            let x = Double.random(in: -700...700, using: &random)
            let exp = Foundation.exp(x)
            #expect(abs(MathFunctions.exp(x) - exp) <= 2 * exp.ulp)
            let log = Foundation.log(exp)
            #expect(abs(MathFunctions.log(exp) - log) <= 2 * log.magnitude.ulp + 1e-300)
        }
    }

    @Test func `sines and cosines hold for angles of a long context`() {
        var random = MatrixRandom(seed: 6)
        for index in 0..<400_000 {
            var angle = Float.random(in: -131_072...131_072, using: &random)
            // Near multiples of pi/2 most of the argument cancels.
            if index % 5 == 0 { angle = Float(Double(index % 80_000) * Double.pi / 2) }
            if index % 7 == 0 { angle /= 65_536 }
            let (sine, cosine) = MathFunctions.sineAndCosine(angle)
            #expect(ulps(sine, Foundation.sin(Double(angle))) <= 0.5001, "\(angle)")
            #expect(ulps(cosine, Foundation.cos(Double(angle))) <= 0.5001, "\(angle)")
        }
        #expect(MathFunctions.sineAndCosine(0) == (0, 1))
        #expect(MathFunctions.sineAndCosine(.infinity).sine.isNaN)
    }

    /// The error in units of the last place of the exact result.
    private func ulps(_ computed: Float, _ exact: Double) -> Double {
        let rounded = Float(exact)
        if computed == rounded && !rounded.isFinite { return 0 }
        let ulp = max(Double(rounded.ulp), Double(Float.leastNonzeroMagnitude))
        // Just below a power of two the smaller spacing counts.
        return abs(Double(computed) - exact) / ulp
    }
}
