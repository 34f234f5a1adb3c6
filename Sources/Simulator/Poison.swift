/// Positions at which computing kills the worker: by chance, but the same ones for the same tokens before them.
struct Poison: Hashable, Sendable {
    /// One position of so many.
    let oneIn: UInt64

    /// The layer, of so many, that does not survive the position which left this chain; nil when all do.
    func layer(_ chain: UInt64, layerCount: Int) -> Int? {
        let drawn = SimulatedRandom.mixed(chain ^ 0x5DEE_CE66_D013_05E1)
        return drawn % oneIn == 0 ? Int(drawn / oneIn % UInt64(layerCount)) : nil
    }
}
