// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FlowMeter
internal import Glibc

/// A live view of a running flowprobe in the terminal.
struct Top: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows a running flowprobe: rates, losses, collectors, and its largest flows.",
    discussion: """
      Keys: o, p and f sort by octets, packets and flows; t goes from flows to sources, destinations, hosts, ports, \
      protocols and interfaces; q quits.
      """)

  @OptionGroup var options: ControlClientOptions

  @Flag(help: "Print one screen, with the rates of one second, and exit.")
  var once = false

  @Option(
    help: ArgumentHelp(
      "How many talkers to show with --once, \(TalkersQuery.limits.lowerBound) to \(TalkersQuery.limits.upperBound).",
      valueName: "talkers"))
  var count = TalkersQuery().limit

  @Option(help: ArgumentHelp("What talkers are sorted by.", valueName: "measure"))
  var by = TalkersQuery().measure

  @Option(help: ArgumentHelp("What flows are summed by.", valueName: "subject"))
  var of = TalkersQuery().subject

  func validate() throws {
    try MeteringOptions.check("--count", count, TalkersQuery.limits)
  }

  func run() throws {
    signal(SIGPIPE, SIG_IGN)
    var query = TalkersQuery()
    (query.limit, query.measure, query.subject) = (count, by, of)
    guard once || isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 else {
      Console.say("cannot show a live view: standard input and output are no terminal; --once prints one screen")
      throw ExitCode.failure
    }
    do throws(ControlClientError) {
      var view = try TopView(options.client, query)
      if once {
        usleep(1_000_000)
        try view.read()
        view.screen.now = .wallClock()
        let rows = view.screen.head + [StyledRow()] + (try view.talkers(limit: count))
        Console.write(to: STDOUT_FILENO, rows.map { $0.plain + "\n" }.joined())
      } else {
        view.run(on: Terminal())
      }
    } catch {
      Console.say(error.description)
      throw ExitCode.failure
    }
  }
}

extension TalkersQuery.Measure: ExpressibleByArgument {}
extension TalkersQuery.Subject: ExpressibleByArgument {}

/// What is shown, and what it was made from.
struct TopView {
  /// Milliseconds between two readings.
  private static let interval: Int64 = 1000

  private let client: ControlClient
  private var query: TalkersQuery
  var screen: TopScreen
  /// When the reading was taken, by the monotonic clock.
  private var taken: Timestamp

  init(_ client: ControlClient, _ query: TalkersQuery) throws(ControlClientError) {
    (self.client, self.query) = (client, query)
    screen = TopScreen(reading: MetricsReading(try client.ask("metrics")))
    taken = .monotonicClock()
  }

  /// Takes the next reading.
  mutating func read() throws(ControlClientError) {
    let reading = MetricsReading(try client.ask("metrics"))
    let now = Timestamp.monotonicClock()
    let isSame = reading.sum("start_time_seconds") == screen.reading.sum("start_time_seconds")
    screen.previous = isSame ? screen.reading : nil
    screen.seconds = max(0.001, Double(now.milliseconds - taken.milliseconds) / 1000)
    (screen.reading, taken) = (reading, now)
  }

  mutating func talkers(limit: Int) throws(ControlClientError) -> [StyledRow] {
    query.limit = min(max(limit, TalkersQuery.limits.lowerBound), TalkersQuery.limits.upperBound)
    return TopScreen.talkers(try client.ask(query.request), query)
  }

  /// Draws a screen a second until it is quit.
  mutating func run(on terminal: Terminal) {
    var next = taken.advanced(byMilliseconds: Self.interval)
    var isDue = false
    while terminal.draw(rows(terminal.size.rows, readsAnew: isDue)) {
      if isDue { next = Timestamp.monotonicClock().advanced(byMilliseconds: Self.interval) }
      let event = terminal.nextEvent(until: next)
      // What a key wants shows at once; rates are of a second all the same.
      isDue = event == .timeout
      switch event {
      case .key(let key): guard take(key) else { return }
      case .ended: return
      case .resized, .timeout: break
      }
    }
  }

  /// False: quit.
  private mutating func take(_ key: Character) -> Bool {
    switch key {
    case "q", "Q", "\u{4}": return false
    case "o": query.measure = .octets
    case "p": query.measure = .packets
    case "f": query.measure = .flows
    case "t":
      let subjects = TalkersQuery.Subject.allCases
      query.subject = subjects[((subjects.firstIndex(of: query.subject) ?? 0) + 1) % subjects.count]
    default: break
    }
    return true
  }

  /// As many rows as there are, the last of them the keys. What cannot be asked is told, and asked again.
  private mutating func rows(_ count: Int, readsAnew: Bool) -> [StyledRow] {
    do throws(ControlClientError) {
      if readsAnew { try read() }
      screen.now = .wallClock()
      screen.mostRows = max(1, count / 6)
      let head = screen.head + [StyledRow()]
      let talkers = try talkers(limit: count - head.count - 2)
      let rows = (head + talkers).prefix(count - 1)
      return rows + Array(repeating: StyledRow(), count: max(0, count - 1 - rows.count)) + [TopScreen.help]
    } catch {
      return [
        StyledRow("flowprobe", .heading), StyledRow(), StyledRow(error.description, .alert), StyledRow(),
        TopScreen.help,
      ]
    }
  }
}
