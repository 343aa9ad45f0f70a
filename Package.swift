// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
]

let package = Package(
  name: "flowprobe",
  products: [
    .library(name: "FlowMeter", targets: ["FlowMeter"]),
    .library(name: "FlowExport", targets: ["FlowExport"]),
    .library(name: "FlowNetfilter", targets: ["FlowNetfilter"]),
    .executable(name: "flowprobe", targets: ["flowprobe-main"]),
    // For Tests/Fuzz, which cannot link an executable.
    .library(name: "FlowprobeProgram", targets: ["flowprobe"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    .systemLibrary(name: "CPcap", providers: [.apt(["libpcap-dev"])]),
    .systemLibrary(
      name: "CNetfilter",
      providers: [.apt(["libnetfilter-conntrack-dev", "libnetfilter-log-dev", "libnfnetlink-dev"])]),
    .systemLibrary(name: "CMicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),
    .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
    .target(name: "CShims"),
    .target(name: "FlowMeter", dependencies: ["CPcap", "CShims"], swiftSettings: settings),
    .target(name: "FlowExport", dependencies: ["COpenSSL", "CPcap", "CShims", "FlowMeter"], swiftSettings: settings),
    // What links the netfilter libraries, which are GPL-2.0-or-later: a module of its own, so that users of the other
    // two need not.
    .target(name: "FlowNetfilter", dependencies: ["CNetfilter", "CShims", "FlowMeter"], swiftSettings: settings),
    .executableTarget(
      name: "flowprobe-main", dependencies: ["flowprobe"], path: "Sources/main", swiftSettings: settings),
    // All of the program but the call that starts it: a library, so that its parsers can be linked to a fuzzer.
    .target(
      name: "flowprobe",
      dependencies: [
        "CMicrohttpd", "CShims", "FlowExport", "FlowMeter", "FlowNetfilter",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    .testTarget(name: "FlowMeterTests", dependencies: ["FlowMeter"], swiftSettings: settings),
    .testTarget(
      name: "FlowExportTests", dependencies: ["CShims", "FlowExport", "FlowMeter"], swiftSettings: settings),
    .testTarget(
      name: "FlowNetfilterTests", dependencies: ["CNetfilter", "FlowMeter", "FlowNetfilter"], swiftSettings: settings),
    .testTarget(
      name: "flowprobeTests",
      dependencies: [
        "FlowExport", "FlowMeter", "FlowNetfilter", "flowprobe",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
