extension Duration {
    /// In seconds, as a number to divide by.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
