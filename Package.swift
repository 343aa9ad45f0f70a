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
    .executable(name: "flowprobe", targets: ["flowprobe"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    .systemLibrary(name: "CPcap", providers: [.apt(["libpcap-dev"])]),
    .target(name: "CShims"),
    .target(name: "FlowMeter", dependencies: ["CPcap", "CShims"], swiftSettings: settings),
    .target(name: "FlowExport", dependencies: ["CShims", "FlowMeter"], swiftSettings: settings),
    .executableTarget(
      name: "flowprobe",
      dependencies: [
        "CShims", "FlowExport", "FlowMeter",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    .testTarget(name: "FlowMeterTests", dependencies: ["FlowMeter"], swiftSettings: settings),
    .testTarget(
      name: "FlowExportTests", dependencies: ["FlowExport", "FlowMeter"], swiftSettings: settings),
    .testTarget(
      name: "flowprobeTests",
      dependencies: [
        "FlowExport", "FlowMeter", "flowprobe",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
