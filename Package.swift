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
  ],
  targets: [
    .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
    .target(name: "CShims"),
    .target(name: "FlowMeter", dependencies: ["CPcap", "CShims"], swiftSettings: settings),
    .target(name: "FlowExport", dependencies: ["CShims", "FlowMeter"], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
