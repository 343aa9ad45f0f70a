// SPDX-License-Identifier: Apache-2.0

/// Whether a packet comes in or goes out where it is observed (IE 61 flowDirection, RFC 5102 section 5.11.7).
public enum FlowDirection: UInt8, Sendable {
  case ingress = 0
  case egress = 1
}
