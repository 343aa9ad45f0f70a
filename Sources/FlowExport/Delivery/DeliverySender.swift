// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Hands an exporter's messages to a ``Delivery``, and looks after that: starts it, tells what it has to say, ends it.
///
/// Belongs to the exporting thread.
final class DeliverySender {
  private let delivery: Delivery
  private let report: (ExportEvent) -> Void
  private var courier: Courier
  private var pace: Pace
  private var trouble = TroubleReport()

  /// How long what waits has once a destination is one no longer. Milliseconds.
  private static let leaving: Int64 = 5000

  init(
    to destination: ExportDestination, number: Int, ownSessions: OwnSessions?, report: @escaping (ExportEvent) -> Void
  ) {
    self.report = report
    delivery = Delivery(destination)
    courier = Courier(number: number, ownSessions: ownSessions)
    let configuration = destination.configuration
    // Who waits for room needs no other pace.
    pace = Pace(perSecond: configuration.delivery.waitsForRoom ? 0 : configuration.exportRate)
  }

  deinit { delivery.finish(within: 0) }

  /// All figures at one moment. Any thread.
  var statistics: ExportStatistics { delivery.statistics }

  var isUsable: Bool { delivery.isUsable }

  /// See ``CollectorExporter/prepare(isSuccessor:)``.
  func prepare(isSuccessor: Bool) throws(DeliveryRefusal) {
    try courier.prepare(delivery, isSuccessor: isSuccessor)
  }

  /// Starts the thread that delivers, and tells what there is to be told.
  func begin() {
    do throws(DeliveryRefusal) {
      try courier.start(delivery)
    } catch {
      trouble.note(error.description)
    }
    tell()
  }

  /// See ``CollectorExporter/hasEnded``.
  var hasEnded: Bool { !courier.hasStarted || delivery.hasEnded }

  /// What an operator wants to hear of, since the last call.
  func tell() {
    for event in delivery.takeEvents() { report(event) }
    guard let (reason, times) = trouble.take(at: .monotonicClock()) else { return }
    report(.cannotSend(destination: delivery.destination, reason: reason, times: times))
  }

  /// Hands all messages over.
  ///
  /// - Parameters:
  ///   - counters: what the exporter has counted; what it has still is pending in them.
  ///   - onProgress: called while that goes on.
  func handOver(_ batch: borrowing MessageBatch, _ counters: inout ExportStatistics, _ onProgress: () -> Void) {
    for contents in batch.contents {
      counters.pending.add(contents.flows)
      counters.natEvents.pending += contents.events
    }
    var next = 0
    repeat {
      onProgress()
      let chunk = next..<min(next + Pace.burst, batch.count)
      pace.wait(for: chunk.count)
      for place in chunk {
        counters.pending.remove(batch.contents[place].flows)
        counters.natEvents.pending -= batch.contents[place].events
      }
      delivery.take(batch.messages(chunk), counters)
      next = chunk.upperBound
    } while next < batch.count
  }

  // MARK: The end

  /// See ``CollectorExporter/beginToFinish(within:)``.
  func beginToFinish(within milliseconds: Int64) {
    // Who never began has nobody to deliver what there is.
    if !courier.hasStarted { begin() }
    delivery.finish(within: milliseconds)
  }

  /// See ``CollectorExporter/leave()``.
  func leave() {
    guard courier.hasStarted else { return giveUp() }
    beginToFinish(within: delivery.configuration.spool == nil ? Self.leaving : 0)
  }

  /// See ``CollectorExporter/finish(within:)``.
  func finish(within milliseconds: Int64) {
    guard courier.hasStarted else { return giveUp() }
    beginToFinish(within: milliseconds)
    if !delivery.waitForEnd() {
      trouble.note("its thread is held up, as by a disk that hangs; what waits there may be lost")
    }
    tell()
  }

  /// Where there is no thread nobody will have what there is.
  private func giveUp() {
    delivery.giveUp()
    tell()
  }
}
