import Inference

/// A model whose keys and values are a hash of all that comes before: whatever token, position, regime or page is wrong
/// shows in the tokens from there on.
enum HashModel {
    /// Before the first position.
    static let beginning: UInt64 = 0x243F_6A88_85A3_08D3

    /// What a position leaves in its page.
    static func extend(_ chain: UInt64, token: Int32, regime: RopeRegime) -> UInt64 {
        SimulatedRandom.mixed(chain ^ UInt64(UInt32(bitPattern: token)) ^ (UInt64(regime.rawValue) << 40))
    }

    /// The token after a position.
    static func sample(_ chain: UInt64, seed: UInt64, choice: Int, vocabularySize: Int) -> Int32 {
        let value = SimulatedRandom.mixed(chain &+ seed &* 31 &+ UInt64(choice))
        return Int32(value % UInt64(vocabularySize))
    }
}
