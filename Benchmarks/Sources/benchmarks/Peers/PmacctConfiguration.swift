// SPDX-License-Identifier: Apache-2.0

/// The configuration of pmacct's daemons: flows by its plugin nfprobe, as IPFIX, with buffers as large as they help.
enum PmacctConfiguration {
  /// - Parameters:
  ///   - daemon: pmacctd or uacctd, whose name begins the names of its settings.
  ///   - input: the lines that say what is read.
  static func text(daemon: String, _ run: Peer.Run, input: String) -> String {
    let (idle, active) = (Peer.inactiveTimeout, Peer.activeTimeout)
    return """
      daemonize: false
      \(input)
      aggregate: src_host, dst_host, src_port, dst_port, proto, tos, tcpflags
      plugins: nfprobe
      nfprobe_receiver: \(run.collector)
      nfprobe_version: 10
      nfprobe_maxflows: \(Peer.flows)
      nfprobe_timeouts: tcp=\(idle):udp=\(idle):icmp=\(idle):general=\(idle):tcp.fin=\(idle):tcp.rst=\(idle)\
      :maxlife=\(active):expint=5
      plugin_pipe_size: 512000000
      plugin_buffer_size: 512000
      \(daemon)_flow_buffer_size: 512000000
      \(daemon)_flow_buffer_buckets: 1048576

      """
  }
}
