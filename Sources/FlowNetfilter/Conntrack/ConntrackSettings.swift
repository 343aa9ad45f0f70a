// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// The settings of conntrack that decide what its events tell: sysctl net.netfilter.*, of this network namespace.
public struct ConntrackSettings: Sendable {
  /// nf_conntrack_events: 0 none, 1 always, 2 while somebody listens. Nil: there is no connection tracking.
  public var events: Int?
  /// nf_conntrack_acct: packets and octets are counted.
  public var counts = false
  /// nf_conntrack_timestamp: begin and end are stamped.
  public var stamps = false

  /// As they are now.
  public init() {
    events = Self.read("events")
    counts = Self.read("acct") == 1
    stamps = Self.read("timestamp") == 1
  }

  /// Whether translations become known at all.
  public var makesEvents: Bool { (events ?? 0) != 0 }

  /// What an operator should know before relying on translations: a sentence each.
  ///
  /// - Parameter exportsEvents: also of what NAT events lack.
  public func notices(exportsEvents: Bool) -> [String] {
    guard let events else {
      return ["there is no connection tracking here: no translation is known; load it: 'modprobe nf_conntrack'"]
    }
    var notices: [String] = []
    if events == 0 {
      notices.append("conntrack makes no events: no NAT event will come; set net.netfilter.nf_conntrack_events=2")
    }
    guard exportsEvents else { return notices }
    if !counts {
      notices.append(
        "conntrack does not count: NAT delete events go without packets and octets;"
          + " net.netfilter.nf_conntrack_acct=1 adds them, for 32 octets a connection and a little time a packet")
    }
    if !stamps {
      notices.append(
        "conntrack does not stamp: NAT events have the time of their arrival;"
          + " net.netfilter.nf_conntrack_timestamp=1 adds the exact one, for 16 octets a connection")
    }
    return notices
  }

  /// nf_conntrack_buckets: how many hash buckets conntrack's table has.
  static var buckets: Int? { read("buckets") }

  private static func read(_ name: String) -> Int? {
    TextFile.read("/proc/sys/net/netfilter/nf_conntrack_\(name)", limit: 16).flatMap {
      Int($0.prefix(while: \.isNumber))
    }
  }
}
