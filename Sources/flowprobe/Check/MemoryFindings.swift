// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter

/// What a full table and the capture buffers take. Bytes.
struct MemoryNeed: Hashable {
  var flows: Int
  /// Of a table full of Flows of that version.
  var ipv4: Int
  var ipv6: Int
  /// The rings of all captured interfaces.
  var rings: Int
}

extension MemoryNeed {
  init(_ configuration: ProbeConfiguration) {
    flows = configuration.table.maxFlows
    let hasDetails = configuration.details != RecordedDetails() || !configuration.groups.isEmpty
    let hasLabels = configuration.export.recordedLabels > 0
    ipv4 = FlowTable.mostMemory(configuration.table, .v4, hasDetails: hasDetails, hasLabels: hasLabels)
    ipv6 = FlowTable.mostMemory(configuration.table, .v6, hasDetails: hasDetails, hasLabels: hasLabels)
    // libpcap makes a ring of whole blocks of 256 KiB.
    rings = configuration.interfaces.count * max(configuration.capture.bufferSize, configuration.threads << 18)
  }
}

/// The memory that there is, bytes; nil where the system does not say.
struct SystemMemory: Hashable {
  var machine: Int?
  /// The least that a control group of the process may have (memory.max, memory.limit_in_bytes).
  var limit: Int?

  init(machine: Int? = nil, limit: Int? = nil) { (self.machine, self.limit) = (machine, limit) }

  /// - Parameter read: the text of a file; nil where it cannot be read.
  init(_ read: (String) -> String?) {
    machine = read("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemTotal:") }
      .flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) }.map { $0 * 1024 }
    let groups = read("/proc/self/cgroup")?.split(separator: "\n") ?? []
    let limits = groups.flatMap { line -> [Int] in
      // hierarchy:controllers:path; the unified hierarchy is 0 and names no controllers.
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { return [] }
      if parts[0] == "0" { return Self.limits("/sys/fs/cgroup", parts[2], "memory.max", read) }
      guard parts[1].split(separator: ",").contains("memory") else { return [] }
      return Self.limits("/sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes", read)
    }
    // What is beyond the machine's is none.
    limit = limits.min().flatMap { $0 < machine ?? .max ? $0 : nil }
  }

  /// Of a group and those around it.
  private static func limits(
    _ root: String, _ path: Substring, _ file: String, _ read: (String) -> String?
  ) -> [Int] {
    var (limits, parts) = ([Int](), path.split(separator: "/"))
    while true {
      let folder = ([root] + parts.map(String.init)).joined(separator: "/")
      if let limit = read("\(folder)/\(file)").flatMap({ Int($0.prefix { !$0.isWhitespace }) }) { limits.append(limit) }
      if parts.popLast() == nil { return limits }
    }
  }
}

enum MemoryFindings {
  static func findings(_ need: MemoryNeed, _ memory: SystemMemory) -> [Finding] {
    var fact = "\(need.flows) flows at most: \(mebibytes(need.ipv4)) full of IPv4, \(mebibytes(need.ipv6)) of IPv6"
    if let limit = memory.limit {
      fact += "; a limit of \(mebibytes(limit))"
    } else if let machine = memory.machine {
      fact += "; the machine has \(mebibytes(machine))"
    }
    guard let most = memory.limit ?? memory.machine, need.ipv6 + need.rings > most else {
      return [.fact("table", fact)]
    }
    let (whose, remedy) =
      memory.limit == nil ? ("the machine has", "") : ("the control group's limit is", ", or raise the limit")
    return [
      .fact("table", fact),
      .notice(
        "a full table and the capture buffers take up to \(mebibytes(need.ipv6 + need.rings)), and \(whose)"
          + " \(mebibytes(most)): the kernel would end flowprobe; lower --maxflows or --buffer-size\(remedy)"),
    ]
  }

  private static func mebibytes(_ bytes: Int) -> String { "\(bytes >> 20) MiB" }
}
