// SPDX-License-Identifier: Apache-2.0

internal import FlowMeter

/// Why nobody can ask from outside, in words for the operator.
enum ListeningError: Error, Hashable, CustomStringConvertible {
  case network(ListeningAddress, SystemError)
  /// No thread could be started.
  case server(ListeningAddress)
  case control(String, SystemError)
  /// Another flowprobe answers there.
  case taken(String)
  case noSocket(String)
  case noGroup(String)

  var description: String {
    switch self {
    case .network(let address, let error):
      "cannot serve metrics on \(address): \(error); give an address of this machine and a free port with --metrics"
    case .server(let address):
      "cannot serve metrics on \(address): no thread can be started; raise the limit of processes ('ulimit -u')"
    case .control(let path, let error):
      "cannot listen on control socket '\(path)': \(error); give another path with --control, or --no-control"
    case .taken(let path):
      "cannot listen on control socket '\(path)': another flowprobe answers there;"
        + " give this one a path of its own with --control, or --no-control"
    case .noSocket(let path):
      "cannot listen on control socket '\(path)': there is a file that is no socket;"
        + " remove it, or give another path with --control"
    case .noGroup(let name):
      "cannot give the control socket to group '\(name)': there is no such group; see 'getent group'"
    }
  }
}
