// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

/// What tells of a live probe while it runs: statistics files, metrics by HTTP and the control socket.
///
/// Sockets are opened before anything else, so that what is wrong with them is told at the start; threads begin with
/// ``start(_:)``. Belongs to the main thread.
final class ProbeOutlets {
  private let writer: StatisticsWriter
  private var metrics: (address: ListeningAddress, descriptor: Int32)?
  private var control: ControlSocket?

  private var threads: [WorkerThread] = []
  private var metricsServer: HTTPServer?
  private var controlServer: ControlServer?

  init(_ configuration: ProbeConfiguration) throws(ListeningError) {
    writer = StatisticsWriter(directory: configuration.statisticsDirectory)
    if let wanted = configuration.control {
      do throws(ListeningError) {
        control = try ControlSocket(path: wanted.path, group: wanted.group)
      } catch {
        guard !wanted.isWanted else { throw error }
        Console.say("\(error); going without")
      }
    }
    if let address = configuration.metrics { metrics = (address, try address.listen()) }
  }

  /// Whether the statistics are told to anybody.
  private var areUsed: Bool { writer.directory != nil || metrics != nil || control != nil }

  /// Starts the threads. Without them packets are metered all the same.
  func start(_ probe: Probe) {
    // Before other threads ask for them: what is lazy is not for two threads at once.
    let (sampler, health, clock) = (probe.sampler, probe.health, probe.clock)
    guard areUsed else { return }
    if let metrics {
      let pages = MetricsPages(health) { sampler.statistics }
      metricsServer = HTTPServer(listeningOn: metrics.descriptor) { pages.page($0) }
      if metricsServer == nil { Console.say(ListeningError.server(metrics.address).description) }
      self.metrics = nil
    }
    let (writer, server) = (writer, metricsServer)
    start("statistics") {
      writer.run(sampler, table: { probe.table }, now: { clock.now }) {
        health.note()
        server?.endLongest()
      }
    }
    if let control {
      let server = ControlServer(control, ControlCommands(probe.controlCommands))
      controlServer = server
      start("control") { server.run() }
    }
  }

  private func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
    do throws(SystemError) {
      threads.append(try WorkerThread(name: name, body: body))
    } catch {
      Console.say("cannot start the thread '\(name)': \(error); raise the limit of processes ('ulimit -u')")
    }
  }

  /// Gives the control socket to the user that the program becomes.
  func handControl(to account: ServiceUser) { control?.hand(to: account.user) }

  /// The operator's SIGUSR1.
  func writeFlows() {
    guard writer.directory != nil else {
      return Console.say("there is no directory to write the flows to; give it with --stat-dir")
    }
    writer.writeFlows()
  }

  /// Writes the last state, and answers nobody any more.
  func stop() {
    metricsServer?.stop()
    controlServer?.stop()
    writer.stop()
    for thread in threads { thread.join() }
    threads = []
    (controlServer, control) = (nil, nil)
  }

  deinit { if let metrics { close(metrics.descriptor) } }
}
