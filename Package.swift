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
  ],
  targets: [
    .systemLibrary(name: "CPcap", pkgConfig: "libpcap", providers: [.apt(["libpcap-dev"])]),
    .target(name: "CShims"),
    .target(name: "FlowMeter", dependencies: ["CPcap", "CShims"], swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
