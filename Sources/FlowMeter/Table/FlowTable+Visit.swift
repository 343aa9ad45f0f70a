// SPDX-License-Identifier: Apache-2.0

extension FlowTable {
  /// Copies active Flows into `buffer` and leaves the table as it is: for who wants to see what is in it.
  ///
  /// A Flow that is active all the time is copied once; one that begins or ends meanwhile, once or not at all. A stripe
  /// is locked for a part of its Flows at a time, some 20 µs. Any thread.
  ///
  /// - Parameters:
  ///   - visit: how far this visit has come; a new one at first.
  ///   - buffer: empty, of 256 records or more. The records' reason says nothing.
  /// - Returns: whether the visit goes on: empty the buffer and call again.
  public func copyActive(_ visit: inout FlowTableVisit, into buffer: inout FlowRecordBuffer) -> Bool {
    guard visit.stripe < stripeCount else { return false }
    withStripe(visit.stripe) { store in
      var inStripe = visit.inStripe ?? StripeVisit()
      store.copyActive(&inStripe, into: &buffer)
      visit.inStripe = inStripe
    }
    if visit.inStripe?.isComplete ?? true {
      visit.inStripe = nil
      visit.stripe += 1
    }
    return visit.stripe < stripeCount
  }
}

/// How far a visit of the table's active Flows has come.
public struct FlowTableVisit: Sendable {
  var stripe = 0
  var inStripe: StripeVisit?

  public init() {}
}
