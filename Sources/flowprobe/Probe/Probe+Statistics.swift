// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: reads the program's file into memory of ours.

internal import CShims
internal import FlowExport
internal import FlowMeter
internal import FlowNetfilter
internal import Glibc
internal import Synchronization

/// What the statistics files are told. Any thread, once the sources are open.
extension Probe {
  func gatherStatistics() -> ProbeStatistics {
    let parts = parts.withLock { $0 }
    var statistics = ProbeStatistics()
    statistics.program = program(parts.configuration)
    // From the end of the way to its beginning: what is taken out was counted before.
    statistics.destinations = parts.destinations.flatMap { destination in
      destination.exporters.map {
        ProbeStatistics.Destination(
          address: $0.destination.description, group: destination.group?.description, export: $0.statistics)
      }
    }
    statistics.pastExports = parts.past.collectors.reduce(into: parts.past.exports) { $0.add($1.statistics) }
    statistics.pass = lastPass.withLock { $0 }
    statistics.table = parts.tableStatistics
    statistics.peak = peak.value
    statistics.meters = parts.sources.flatMap { source in
      source.lanes.map { lane in
        ProbeStatistics.Meter(
          source: source.name, number: lane.number, captures: source.captures,
          counters: lane.process.counters.statistics)
      }
    }
    statistics.pastMetering = parts.past.metering
    statistics.exportsNATEvents = parts.follower?.events != nil
    if let follower = parts.follower {
      statistics.nat = ProbeStatistics.NAT(
        connections: follower.translations.statistics, dropped: follower.events?.dropped ?? 0)
    }
    statistics.aggregationUsage = parts.configuration.selection.aggregationUsage.current
    statistics.moment = .monotonicClock()
    return statistics
  }

  private func program(_ configuration: ProbeConfiguration) -> ProbeStatistics.Program {
    var program = ProbeStatistics.Program()
    program.version = Flowprobe.version
    program.build = ProgramFile.fingerprint
    program.started = started
    program.export = configuration.destinations.first?.destinations.first?.configuration ?? configuration.export
    program.expiration = configuration.table.expiration
    program.maxFlows = configuration.table.maxFlows
    program.isPromiscuous = configuration.capture.promiscuous
    program.recordsMACAddresses = configuration.details.hardwareAddresses
    program.sampling = configuration.table.sampling
    program.aggregation = configuration.selection.aggregation
    program.interfaceIndexRules = configuration.interfaceIndexRules
    return program
  }

  /// One pass of the exporting thread, measured.
  func exportAndMeasure(at instant: ExportInstant, everything: Bool = false) {
    peak.note(parts.withLock { $0 }.tableStatistics.active, at: .monotonicClock())
    let began = ContinuousClock.now
    let records = exporting.export(at: instant, everything: everything)
    let ended = ContinuousClock.now
    lastPass.withLock {
      $0.pause = passBegan?.duration(to: began).milliseconds ?? 0
      $0.microseconds = Int64(began.duration(to: ended) / .microseconds(1))
      $0.ended = .monotonicClock()
      $0.records = records
      $0.processor = Int(cshims_current_processor())
    }
    passBegan = began
  }
}

/// The program's own file.
enum ProgramFile {
  /// A hash of what is in it (FNV-1a over words of 64 bits), in hexadecimal: one build's is another than another's.
  static let fingerprint = {
    let descriptor = unsafe open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: 1 << 13) { words in
      while true {
        unsafe words.update(repeating: 0)
        let count = unsafe read(descriptor, words.baseAddress, words.count * 8)
        guard count > 0 else { return }
        for i in 0..<(count + 7) / 8 { hash = unsafe (hash ^ words[i]) &* 0x100_0000_01b3 }
      }
    }
    let digits = String(hash, radix: 16, uppercase: true)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }()
}
