// SPDX-License-Identifier: Apache-2.0

/// Whether a packet comes in or goes out where it is observed (IE 61 flowDirection, RFC 5102 section 5.11.7).
public enum FlowDirection: UInt8, Sendable {
  /// It comes in: seen in PREROUTING, INPUT or FORWARD.
  case ingress = 0
  /// It goes out: seen in OUTPUT or POSTROUTING.
  case egress = 1
}
