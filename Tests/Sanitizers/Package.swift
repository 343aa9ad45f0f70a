// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// FlowMeter and its tests alone, which are built anew for each sanitizer; see `run`.
let package = Package(
  name: "sanitized",
  dependencies: [.package(name: "flowprobe", path: "../..")],
  targets: [
    .testTarget(
      name: "FlowMeterTests", dependencies: [.product(name: "FlowMeter", package: "flowprobe")],
      path: "FlowMeterTests",
      swiftSettings: [
        .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"), .strictMemorySafety(),
      ])
  ],
  swiftLanguageModes: [.v6]
)
