// SPDX-License-Identifier: Apache-2.0

internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter

/// What stays as it was at the start until the program is started again.
extension ProbeConfiguration {
  /// Takes over from the configuration that runs what cannot be changed while it does, and what is the same.
  ///
  /// - Returns: the options that are others here, and stay as they were.
  mutating func keepWhatIsFixed(of old: ProbeConfiguration) throws(ChangeRefusal) -> [String] {
    guard isLive, old.isLive else {
      throw ChangeRefusal(description: "a capture file is read as it was begun; start again")
    }
    guard destinations.isEmpty == old.destinations.isEmpty else {
      throw ChangeRefusal(
        description: old.destinations.isEmpty
          ? "flows are printed, and go on being printed; start again with 'dest'"
          : "there is no 'dest' any more; stop flowprobe instead")
    }
    var fixed: [String] = []
    // What a socket or ring was opened with, what the table's slots have room for, where threads run.
    keep("filter", \.filter, old, &fixed)
    keep("filter", \.capture.filter, old, &fixed)
    keep("snaplen", \.capture.snapLength, old, &fixed)
    keep("buffer-size", \.capture.bufferSize, old, &fixed)
    keep("buffer-size", \.nflog.bufferSize, old, &fixed)
    keep("mac, mark or uid", \.details, old, &fixed)
    keep("mac, mark or uid", \.capture.details, old, &fixed)
    keep("mac, mark or uid", \.nflog.details, old, &fixed)
    for i in destinations.indices { destinations[i].configure { $0.recordedLabels = old.export.recordedLabels } }
    keep("mpls", \.export.recordedLabels, old, &fixed)
    keep("fragments", \.fragments, old, &fixed)
    keep("nflog-size", \.nflog.copyLength, old, &fixed)
    keep("nflog-threshold", \.nflog.threshold, old, &fixed)
    keep("nflog-timeout", \.nflog.timeout, old, &fixed)
    keep("nflog-message", \.nflog.messageSize, old, &fixed)
    keep("nat-buffer", \.conntrack.bufferSize, old, &fixed)
    keep("nat-connections", \.translations.capacity, old, &fixed)
    keep("threads", \.threads, old, &fixed)
    keep("metering-cpu", \.meteringProcessors, old, &fixed)
    keep("exportcpu", \.exportProcessor, old, &fixed)
    keep("json", \.printsJSON, old, &fixed)
    keep("stat-dir", \.statisticsDirectory, old, &fixed)
    keep("metrics", \.metrics, old, &fixed)
    keep("control", \.control, old, &fixed)
    // What it is to the system it became before the first packet.
    keep("user", \.service.user, old, &fixed)
    keep("chroot", \.service.chroot, old, &fixed)
    keep("pidfile", \.service.pidfile, old, &fixed)
    keep("keep-capabilities", \.service.keptCapabilities, old, &fixed)
    keep("no-sandbox", \.service.noSandbox, old, &fixed)
    // It counts how often its rules were used.
    if table.sampling == old.table.sampling, selection.aggregation == old.selection.aggregation {
      selection = old.selection
    }
    return fixed
  }

  private mutating func keep<Value: Equatable>(
    _ option: String, _ path: WritableKeyPath<ProbeConfiguration, Value>, _ old: ProbeConfiguration,
    _ fixed: inout [String]
  ) {
    guard self[keyPath: path] != old[keyPath: path] else { return }
    self[keyPath: path] = old[keyPath: path]
    if !fixed.contains(option) { fixed.append(option) }
  }
}
