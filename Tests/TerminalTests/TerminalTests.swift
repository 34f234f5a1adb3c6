import Inference
import Terminal
import Testing

@Suite struct TerminalTests {
    @Test func `sizes are read as people write them`() {
        #expect(ByteCount.parse("512") == 512)
        #expect(ByteCount.parse("8GiB") == 8 << 30)
        #expect(ByteCount.parse("1.5g") == 3 << 29)
        #expect(ByteCount.parse("64 MB") == 64 << 20)
        for wrong in ["", "x", "-1", "0", "5 apples", "1e400", "nan", "99999999999T", "1.2.3"] {
            #expect(ByteCount.parse(wrong) == nil, "\(wrong)")
        }
    }

    @Test func `sizes are written with one digit`() {
        #expect(ByteCount.text(0) == "0 B")
        #expect(ByteCount.text(1023) == "1023 B")
        #expect(ByteCount.text(1536) == "1.5 KiB")
        #expect(ByteCount.text(8 << 30) == "8.0 GiB")
    }

    @Test func `numbers are rounded to the digits`() {
        #expect(Number.text(3.14159, fractionDigits: 2) == "3.14")
        #expect(Number.text(-0.04, fractionDigits: 1) == "0.0")
        #expect(Number.text(9.96, fractionDigits: 1) == "10.0")
        #expect(Number.text(7, fractionDigits: 0) == "7")
        #expect(Number.text(.nan, fractionDigits: 1) == "-")
    }

    @Test func `columns are as wide as their widest cell`() {
        var table = Table([("NAME", .left), ("SIZE", .right)])
        table.add(["a", "1"])
        table.add(["longer", "100000"])
        #expect(table.text() == "NAME      SIZE\n------  ------\na            1\nlonger  100000")
    }
}
