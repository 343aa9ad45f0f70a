// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
]

/// As fast as this machine can: what is measured against runs where it was built.
let fastest: [CSetting] = [.unsafeFlags(["-O3", "-march=native"])]

/// Without loading Swift's libraries, which programs in C have no use for.
let bare: [LinkerSetting] = [.unsafeFlags(["-static-stdlib"])]

let package = Package(
  name: "benchmarks",
  dependencies: [
    // By name, so that the folder of the clone may be called anything.
    .package(name: "flowprobe", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
  ],
  targets: [
    .target(name: "CAllocations"),
    .target(name: "CSystem"),
    .executableTarget(name: "yardstick", cSettings: fastest, linkerSettings: bare + [.linkedLibrary("pcap")]),
    .executableTarget(
      name: "nflogreader", cSettings: fastest,
      linkerSettings: bare + [.linkedLibrary("netfilter_log"), .linkedLibrary("nfnetlink")]),
    .executableTarget(
      name: "benchmarks",
      dependencies: [
        "CAllocations", "CSystem",
        .product(name: "FlowExport", package: "flowprobe"),
        .product(name: "FlowMeter", package: "flowprobe"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
