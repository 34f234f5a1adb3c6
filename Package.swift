// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// Tests look into modules, and what they test shall be what ships: release builds keep internal names, too.
let testable: [SwiftSetting] = [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]

func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil
) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings + testable)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil
) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: ["TestSupport"] + dependencies, resources: resources,
        swiftSettings: settings)
}

// Packages.
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let certificates = Target.Dependency.product(name: "X509", package: "swift-certificates")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")

let package = Package(
    name: "phalanx",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "phalanx", targets: ["phalanx"]),
        .library(name: "Kernels", targets: ["Kernels"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Floor 0
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
        .target(name: "CKernels"),
        .target(name: "CHost"),
        .target(name: "CBench"),
        .target(name: "CChecksum"),
        module("Inference"),
        // Floor 1
        .target(name: "CWire", dependencies: ["CProtobufC"]),
        // A product of its own, which a package that uses it could not build with flags like those of `testable`.
        .target(name: "Kernels", dependencies: ["CKernels"], swiftSettings: settings),
        module("Host", ["CHost"]),
        module("Tokenization"),
        module("Grammar"),
        module("HTTP2", ["CNghttp2"]),
        module("Trust", [asn1, certificates, crypto]),
        // Floor 2
        module("Wire", ["Inference", "CWire", "CProtobufC", "CChecksum"]),
        module("Checkpoint", ["Host", "Kernels", "Tokenization", "CChecksum", crypto]),
        module("Cluster", ["Inference"]),
        module("Scheduling", ["Inference"]),
        // Floor 3
        module(
            "Transport",
            ["HTTP2", "Wire", "Inference", "Trust", nioCore, nioPosix, nioSSL, nioTLS, logging]),
        module("Phi", ["Kernels", "Host", "Checkpoint", "Inference"]),
        module("Simulator", ["Cluster", "Scheduling", "Inference"]),
        // Floor 4
        module("CoordinatorClient", ["Transport", "Wire", "Inference", "Trust", crypto, logging]),
        module(
            "Gateway",
            [
                "Inference", "Tokenization", "Grammar", hummingbird, hummingbirdCore, hummingbirdTLS, nioCore, nioHTTP1,
                nioSSL,
                httpTypes, httpClient, crypto, logging, lifecycle,
            ],
            // The web page and the description of the API are part of the program: no files beside it to get lost.
            resources: [.embedInCode("OpenAPI/openapi.json")]
                + [
                    "index.html", "icon.svg", "page.css", "chat.css", "cluster.css", "api.js", "changes.js", "chat.js",
                    "cluster.js", "conversations.js", "dom.js", "figures.js", "inline.js", "markdown.js", "message.js",
                    "page.js", "pipeline.js", "reader.js", "settings.js", "theme.js",
                ].map { .embedInCode("Page/" + $0) }),
        // Floor 5
        module(
            "WorkerNode",
            [
                "Phi", "Checkpoint", "Kernels", "Host", "Transport", "Trust", "Wire", "Inference", "CoordinatorClient",
                logging,
            ]),
        module(
            "CoordinatorNode",
            [
                "Cluster", "Scheduling", "Grammar", "Tokenization", "Transport", "Trust", "Wire", "Inference",
                "Checkpoint",
                "Host", "Kernels", "CoordinatorClient", histogram, logging,
            ]),
        module("Terminal", ["Inference", logging]),
        module(
            "Bench",
            ["Phi", "Checkpoint", "Kernels", "Host", "Inference", "Tokenization", "Grammar", "CBench", histogram]),
        // Floor 6
        .executableTarget(
            name: "phalanx",
            dependencies: [
                "Bench", "Checkpoint", "Cluster", "CoordinatorClient", "CoordinatorNode", "Gateway", "Host",
                "Inference",
                "Kernels", "Scheduling", "Simulator", "Terminal", "Tokenization", "Transport", "Trust", "WorkerNode",
                httpClient, nioCore, nioHTTP1,
                logging, lifecycle, signals,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["Resources/demo.card.md"], resources: [.copy("Resources/demo.gguf")], swiftSettings: settings),

        .target(name: "TestSupport", dependencies: ["Grammar"], path: "Tests/TestSupport", swiftSettings: settings),
        tests("House"),
        tests("Kernels", ["Kernels", "CKernels"], resources: [.copy("Resources")]),
        tests("Host", ["Host", "CHost"]),
        tests("Tokenization", ["Tokenization"], resources: [.copy("Resources")]),
        tests("Grammar", ["Grammar"]),
        tests("HTTP2", ["HTTP2"]),
        tests("Trust", ["Trust", certificates]),
        tests("Wire", ["Wire", "Inference"]),
        tests(
            "Checkpoint", ["Checkpoint", "Host", "Kernels", "Tokenization", "CChecksum"],
            resources: [.copy("Resources")]),
        tests("Cluster", ["Cluster", "Inference"]),
        tests("Scheduling", ["Scheduling", "Inference"]),
        tests("Simulator", ["Simulator", "Cluster", "Scheduling", "Inference"]),
        tests("Transport", ["Transport", "HTTP2", "Trust", nioCore, nioPosix, logging]),
        tests("Phi", ["Phi", "Checkpoint", "Host", "Kernels", "Inference"]),
        tests("CoordinatorClient", ["CoordinatorClient", "Transport", "Trust", "Wire", "Inference", logging]),
        tests(
            "Gateway",
            [
                "Gateway", "Inference", "Tokenization", "Grammar", hummingbird, asn1, certificates, crypto, httpClient,
                nioCore,
                nioHTTP1, nioSSL, httpTypes, logging, lifecycle,
            ]),
        tests("Terminal", ["Terminal", "Inference", logging]),
        tests(
            "Node",
            [
                "CoordinatorNode", "WorkerNode", "CoordinatorClient", "Gateway", "Transport", "Trust", "Inference",
                "Scheduling", "Checkpoint", "Host", "Tokenization", "Grammar", "Wire", logging,
            ]),
        tests("Bench", ["Bench", "Checkpoint", "Host", "Kernels", "Inference", "Phi", "Tokenization"]),
        tests("CommandLine", ["phalanx"]),
    ],
    swiftLanguageModes: [.v6]
)
