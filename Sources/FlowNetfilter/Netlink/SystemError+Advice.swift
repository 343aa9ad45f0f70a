// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter
internal import Glibc

extension SystemError {
  /// What helps where a netlink socket cannot be opened.
  var netlinkAdvice: String {
    switch code {
    case EPERM, EACCES: "run as root or give CAP_NET_ADMIN"
    case EMFILE: "raise the limit of open files ('ulimit -n')"
    case ENFILE: "raise the system's limit of open files (fs.file-max)"
    case ENOBUFS, ENOMEM: "the system has no memory for it; free some, or ask for a smaller buffer"
    default: "see 'dmesg'"
    }
  }
}
