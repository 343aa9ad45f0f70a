// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// Built by `run`, which gives the sanitizers to every module, the program's own included.
let settings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  // libFuzzer brings the main function.
  .unsafeFlags(["-parse-as-library"]),
]

let flowMeter = Target.Dependency.product(name: "FlowMeter", package: "flowprobe")
let flowNetfilter = Target.Dependency.product(name: "FlowNetfilter", package: "flowprobe")
let flowExport = Target.Dependency.product(name: "FlowExport", package: "flowprobe")

let flowprobeProgram = Target.Dependency.product(name: "FlowprobeProgram", package: "flowprobe")

let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "flowprobe", path: "../..")],
  targets: [
    .target(name: "FuzzChecks", dependencies: [flowMeter], swiftSettings: settings),
    .executableTarget(
      name: "fuzz-decoder", dependencies: ["FuzzChecks", flowMeter], path: "Sources/FuzzDecoder",
      swiftSettings: settings),
    .executableTarget(
      name: "fuzz-netlink", dependencies: ["FuzzChecks", flowMeter, flowNetfilter], path: "Sources/FuzzNetlink",
      swiftSettings: settings),
    .executableTarget(
      name: "fuzz-capture", dependencies: ["FuzzChecks", flowExport, flowMeter], path: "Sources/FuzzCapture",
      swiftSettings: settings),
    .executableTarget(
      name: "fuzz-rules", dependencies: ["FuzzChecks", flowMeter, flowNetfilter], path: "Sources/FuzzRules",
      swiftSettings: settings),
    .executableTarget(
      name: "fuzz-destination", dependencies: ["FuzzChecks", flowExport, flowMeter], path: "Sources/FuzzDestination",
      swiftSettings: settings),
    .executableTarget(
      name: "fuzz-settings", dependencies: ["FuzzChecks", flowExport, flowMeter, flowprobeProgram],
      path: "Sources/FuzzSettings", swiftSettings: settings),
    .executableTarget(
      name: "fuzz-options", dependencies: ["FuzzChecks", flowprobeProgram], path: "Sources/FuzzOptions",
      swiftSettings: settings),
    .executableTarget(
      name: "fuzz-control", dependencies: ["FuzzChecks", flowMeter, flowprobeProgram], path: "Sources/FuzzControl",
      swiftSettings: settings),
  ],
  swiftLanguageModes: [.v6]
)
