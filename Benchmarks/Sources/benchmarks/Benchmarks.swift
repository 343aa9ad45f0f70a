// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// What can be measured, each by itself.
enum BenchmarkGroup: String, CaseIterable, ExpressibleByArgument {
  case decode, table, keys, threads, scale, expiry, wait, encode, export, memory, scenario, live, nflog, flood

  /// Those that show the whole program.
  static let scenarios: [BenchmarkGroup] = [.scenario, .live, .nflog, .flood]
  /// Those that are measured where none is named; what is done live takes root and long.
  static let usual = allCases.filter { ![.live, .nflog, .flood].contains($0) }
}

/// How much is measured.
struct Settings {
  /// Rounds of the parts, and of the whole program beside others.
  var rounds = 5
  var scenarioRounds = 3
  /// Packets of a capture.
  var packets = 2_000_000
  /// Packets or records of a part's pass.
  var operations = 1_000_000
  /// Flows in a large table.
  var flows = 1_000_000
  /// What is sent live again and again.
  var livePackets = 1_000_000
  /// How long, each time.
  var seconds = 4.0
  /// Packets a second that are offered; 0 is as fast as it goes.
  var rates: [Double] = [100_000, 200_000, 300_000, 0]
  var nflogRates: [Double] = [50_000, 100_000, 200_000, 0]
  /// How many times a meter is handed each packet where it is to get more than can be sent.
  var copies = 8
}

@main
struct Benchmarks: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmarks",
    abstract: "Measures flowprobe's parts against other ways to do the same, and the program beside its peers.",
    discussion: """
      Everything is measured in rounds, in turn with what it is compared with, as CPU time; the ratio is the median of \
      the rounds' ratios: below 1 flowprobe is the faster one. The program is '../.build/release/flowprobe', or what \
      FLOWPROBE names. Captures are written to TMPDIR, by default /dev/shm.
      """)

  @Argument(
    help: ArgumentHelp("What to measure; without any, everything but live, nflog and flood.", valueName: "group"))
  var groups: [BenchmarkGroup] = []

  @Option(help: "How many rounds of each comparison. Default: 5, of the scenarios 3, with --scenarios 5.")
  var rounds: Int?

  @Option(help: "How many packets a capture has, and at most a pass of a part.")
  var packets = Settings().packets

  @OptionGroup var scenarios: ScenarioOptions

  @Flag(help: "A rough look: fewer rounds, packets and flows.")
  var quick = false

  func validate() throws {
    guard (1...100).contains(rounds ?? 1) else { throw ValidationError("--rounds is out of range; give 1 to 100.") }
    guard (10_000...16_000_000).contains(packets) else {
      throw ValidationError("--packets is out of range; give 10000 to 16000000.")
    }
  }

  private var settings: Settings {
    var settings = Settings()
    settings.packets = packets
    scenarios.apply(to: &settings)
    if quick {
      (settings.rounds, settings.scenarioRounds) = (3, 1)
      (settings.operations, settings.flows) = (settings.operations / 4, settings.flows / 4)
      settings.packets = min(packets, 250_000)
      settings.seconds = min(settings.seconds, 1)
    }
    settings.operations = min(settings.operations, packets)
    if let rounds { (settings.rounds, settings.scenarioRounds) = (rounds, rounds) }
    return settings
  }

  func run() throws {
    let usual = scenarios.scenarios ? BenchmarkGroup.scenarios : BenchmarkGroup.usual
    for group in BenchmarkGroup.allCases where (groups.isEmpty ? usual : groups).contains(group) {
      switch group {
      case .decode: try DecodeBenchmark.run(settings)
      case .table: try TableBenchmark.run(settings)
      case .keys: try KeysBenchmark.run(settings)
      case .threads: ThreadsBenchmark.run(settings)
      case .scale: ScaleBenchmark.run(settings)
      case .wait: try WaitBenchmark.run(settings)
      case .expiry: try ExpiryBenchmark.run(settings)
      case .encode: try EncodeBenchmark.run(settings)
      case .export: try ExportBenchmark.run(settings)
      case .memory: try MemoryBenchmark.run(settings)
      case .scenario: try ScenarioBenchmark.run(settings)
      case .live: try LiveBenchmark.capture(settings)
      case .nflog: try LiveBenchmark.nflog(settings)
      case .flood: try FloodBenchmark.run(settings)
      }
    }
  }
}
