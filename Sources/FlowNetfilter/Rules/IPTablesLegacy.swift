// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: popen(3), and reading from its stream into memory of ours.

internal import CNetfilter
internal import FlowMeter
internal import Glibc

/// The rules of iptables-legacy and ip6tables-legacy, as their own programs print them.
///
/// To ask for a table loads it into the kernel, where it takes time for every packet: only where /proc says that tables
/// are in use are they asked for.
public enum IPTablesLegacy {
  /// Why they are not known, as a sentence.
  public struct Refusal: Error, CustomStringConvertible {
    public var description: String
  }

  /// Adds them to the rules that are known.
  public static func add(to rules: inout FirewallRules) throws(Refusal) {
    for (family, program, names) in [
      (RuleFamily.ipv4, "iptables", "ip_tables_names"), (.ipv6, "ip6tables", "ip6_tables_names"),
    ] {
      let path = "/proc/thread-self/net/\(names)"
      guard unsafe access(path, F_OK) == 0 else { continue }
      guard unsafe access(path, R_OK) == 0 else {
        throw Refusal(description: "cannot look at the rules of \(program)-legacy: \(SystemError.last); run as root")
      }
      guard TextFile.read(path) != nil else { continue }
      guard let text = output(of: program) else {
        throw Refusal(
          description: "cannot look at the rules of \(program)-legacy: \(program)-legacy-save does not run;"
            + " install iptables, and run as root")
      }
      rules.add(iptablesSave: text, family)
    }
  }

  /// What `iptables-legacy-save` prints, or on systems that know no other `iptables-save`. Nil where neither runs.
  private static func output(of program: String) -> String? {
    let path = "PATH=$PATH:/usr/sbin:/sbin"
    for name in ["\(program)-legacy-save", "\(program)-save"] {
      guard let text = run("\(path) \(name) 2>/dev/null") else { continue }
      // The heirs of the name print nftables' rules, which are known.
      if !(text.split(separator: "\n").first?.contains("nf_tables") ?? false) { return text }
    }
    return nil
  }

  /// What a command prints; nil where it fails.
  private static func run(_ command: String) -> String? {
    guard let stream = unsafe popen(command, "re") else { return nil }
    var octets: [UInt8] = []
    unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64 << 10) { buffer in
      while true {
        let count = unsafe fread(buffer.baseAddress, 1, buffer.count, stream)
        if count == 0 { break }
        unsafe octets.append(contentsOf: buffer[..<count])
      }
    }
    return unsafe pclose(stream) == 0 ? String(decoding: octets, as: UTF8.self) : nil
  }
}
