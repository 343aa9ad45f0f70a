// SPDX-License-Identifier: Apache-2.0

public import FlowMeter

/// The thread of a ``Delivery``, and what it needs before it begins.
struct Courier {
  private let number: Int
  private let ownSessions: OwnSessions?
  private var loop: DeliveryLoop?
  private var thread: WorkerThread?

  init(number: Int, ownSessions: OwnSessions?) { (self.number, self.ownSessions) = (number, ownSessions) }

  var hasStarted: Bool { thread != nil }

  /// See ``CollectorExporter/prepare(isSuccessor:)``.
  mutating func prepare(_ delivery: Delivery, isSuccessor: Bool) throws(DeliveryRefusal) {
    guard loop == nil, thread == nil, let address = delivery.target.address else { return }
    let context = try delivery.destination.makeTLSContext()
    var spool: Spool?
    if let directory = delivery.configuration.spool {
      do throws(SpoolError) {
        spool = try Spool(directory, delivery.configuration)
      } catch {
        guard isSuccessor, error.isTaken else { throw DeliveryRefusal(description: error.description) }
      }
    }
    let attempts = CollectorAttempts(address, context, number: number, ownSessions: ownSessions)
    loop = DeliveryLoop(delivery, attempts, spool)
  }

  /// Starts the thread, once.
  mutating func start(_ delivery: Delivery) throws(DeliveryRefusal) {
    guard thread == nil else { return }
    try prepare(delivery, isSuccessor: false)
    guard let loop else { return }
    do throws(SystemError) {
      thread = try WorkerThread(name: "deliver") { [job = Job(loop: loop)] in job.loop.run() }
      self.loop = nil
    } catch {
      throw DeliveryRefusal(
        description: "cannot start a thread: \(error); raise the limit of processes ('ulimit -u')")
    }
  }

  /// What the thread takes with it: nobody else touches it any more.
  private struct Job: @unchecked Sendable {
    let loop: DeliveryLoop
  }
}

extension ExportDestination {
  /// Nil where there is no TLS.
  func makeTLSContext() throws(DeliveryRefusal) -> TLSContext? {
    guard case .tls(let address) = target else { return nil }
    let host =
      switch address.host {
      case .address(let ip, let version): ip.text(version)
      case .name(let name): name
      }
    do throws(DeliveryRefusal) {
      return try TLSContext(configuration.tls, host: host)
    } catch {
      throw DeliveryRefusal(description: "cannot send to collector \(self): \(error)")
    }
  }

  /// Makes a spool's directory, with what is in it, another user's, whom the program becomes.
  public static func handSpool(_ directory: String, user: UInt32, group: UInt32) throws(SystemError) {
    try Spool.hand(directory, user: user, group: group)
  }

  /// Whether messages could be delivered as it asks for, as far as files and directories go. Makes nothing, and takes
  /// nothing.
  ///
  /// - Throws: ``DeliveryRefusal``, in words for the operator.
  public func tryOutDelivery() throws(DeliveryRefusal) {
    _ = try makeTLSContext()
    guard let directory = configuration.delivery.spool else { return }
    do throws(SpoolError) {
      try Spool.tryOut(directory)
    } catch {
      throw DeliveryRefusal(description: error.description)
    }
  }
}
