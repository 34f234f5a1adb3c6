public import Foundation

/// The demo model of this repository.
public enum DemoModelFile {
    public static let url: URL = Repository.sources.appendingPathComponent("phalanx/Resources/demo.gguf")
}
