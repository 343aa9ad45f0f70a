// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
]

// What runs on several threads, with its tests, which are built anew for each sanitizer; see `run`.
let package = Package(
  name: "sanitized",
  dependencies: [.package(name: "flowprobe", path: "../..")],
  targets: [
    .testTarget(
      name: "FlowMeterTests", dependencies: [.product(name: "FlowMeter", package: "flowprobe")],
      path: "FlowMeterTests", swiftSettings: settings),
    .testTarget(
      name: "FlowExportTests",
      dependencies: [
        .product(name: "FlowExport", package: "flowprobe"), .product(name: "FlowMeter", package: "flowprobe"),
      ],
      path: "FlowExportTests", swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
