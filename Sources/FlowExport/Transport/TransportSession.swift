// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// A path by which messages reach one Collector (RFC 7011 section 2, Transport Session).
protocol TransportSession: AnyObject {
  /// The largest message that the path takes without fragmentation, in octets; nil while it is not known.
  var messageLimit: Int? { get }

  /// The session's addresses, so that it can be left out of the metering; nil where it has none.
  var own: OwnSession? { get }

  /// How much the system holds of messages that have not left, and has room for.
  var sendQueue: SendQueue { get }

  /// What the network has answered to earlier messages, where nobody has been told; else the next send is.
  func takeAnswer() -> SendAnswer?

  /// Sends messages `range` of the batch, in order. Waits a little for room, never for the Collector.
  ///
  /// - Returns: how many were sent, and why the next one was not.
  func send(_ batch: borrowing MessageBatch, _ range: Range<Int>) -> SendOutcome
}

/// What waits in a socket's send buffer, in bytes as the kernel reckons: with its own overhead.
struct SendQueue: Hashable, Sendable {
  var capacity = 0
  var used = 0
}

/// How far a send came.
struct SendOutcome {
  /// How many messages were handed to the network.
  var sent = 0
  /// Why the one behind them was not; nil where all were.
  var error: ExportError?
  /// How many earlier messages came back: nobody listens there, there is no way, or it does not take their length.
  var refusals = 0
  /// Of them those of the last kind: shorter ones arrive.
  var tooLong = 0
  /// In the system's words, of the last of them.
  var refusal = ""
}

/// What came back to messages that had left.
enum SendAnswer {
  /// The Collector's host: "port unreachable".
  case refused
  /// A router, of so many messages: longer than what it passes on.
  case tooLong(Int)
  /// There is no way to it.
  case failed(ExportError)
}

/// Why a message could not be sent, or a session not be opened.
public struct ExportError: Error, Hashable, Sendable {
  /// What could not be done.
  public var kind: Kind
  /// In the system's words.
  public var reason: String

  /// What the destination's counters tell apart.
  public enum Kind: String, CaseIterable, Hashable, Sendable {
    /// The name has no address (yet), or the socket cannot be opened, bound or connected.
    case connect
    /// The socket's send buffer stayed full.
    case bufferFull
    /// Anything else: no route, a firewall, an interface that is gone.
    case other
    /// TCP and TLS: the queue was full, and there was no spool, or it was slower.
    case queueFull
    /// The spool was full.
    case spoolFull
    /// The spool could not be written to, or has not what was written.
    case spool
    /// The time to deliver what waited at the end was over.
    case notDelivered
  }

  /// An error of this kind, with the system's reason.
  public init(_ kind: Kind, reason: String) {
    (self.kind, self.reason) = (kind, reason)
  }

  static let nameWithoutAddress = ExportError(.connect, reason: "its name has no address")

  /// With the error of the system call that just failed.
  static func last(_ kind: Kind) -> ExportError { ExportError(kind, reason: SystemError.last.description) }
}
