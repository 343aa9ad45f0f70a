// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import FlowNetfilter
import Testing

@testable import flowprobe

@Suite("What a check says of the configuration")
struct CheckTests {
  private func findings(_ arguments: String, ipv6: [String] = []) throws -> [Finding] {
    ProtocolFindings.missing(try metering(arguments)!.configuration, ipv6: ipv6)
  }

  @Test("facts come first, in a column, then notices, problems and what they come to")
  func lines() {
    let findings: [Finding] = [.notice("mind this"), .fact("table", "2 flows"), .problem("cannot do that; do this")]
    #expect(
      findings.lines == [
        "table        2 flows", "notice: mind this", "problem: cannot do that; do this", "flowprobe cannot run",
      ])
    #expect(findings.hasProblem)
    #expect([Finding.notice("mind this")].lines.last == "flowprobe can run")
    #expect(![Finding.notice("mind this")].hasProblem)
  }

  @Test("what NetFlow v5 does not carry of the options, and of IPv6")
  func netFlow5() throws {
    let dest = "--dest 192.0.2.1"
    #expect(
      try findings("--nflog 5 \(dest) --protocol 5 --mac --mark --uid --mpls 2 --nat-fields", ipv6: ["'eth0'"]) == [
        .notice(
          "NetFlow v5 does not carry MAC addresses (--mac), the mark (--mark), the user (--uid), MPLS labels (--mpls),"
            + " translated addresses of flows (--nat-fields); --protocol 10 does"),
        .notice(
          "NetFlow v5 carries no IPv6, which 'eth0' has: those flows are metered and not exported; --protocol 9 or 10"
            + " carries them"),
      ])
    #expect(try findings("-i eth0 \(dest) --protocol 5") == [])
    #expect(try findings("--nflog 5 \(dest) --mac --mark --uid --nat-fields", ipv6: ["'eth0'"]) == [])
  }

  @Test("NetFlow v9 carries all but the mark")
  func netFlow9() throws {
    let all = "--nflog 5 --dest 192.0.2.1 --protocol 9 --mac --uid --nat-fields"
    #expect(try findings(all, ipv6: ["'eth0'"]) == [])
    #expect(
      try findings("\(all) --mark") == [.notice("NetFlow v9 does not carry the mark (--mark); --protocol 10 does")])
  }

  @Test("the capabilities that sources need are named")
  func capabilities() {
    #expect(Capabilities.netRaw.finding == .fact("privileges", "CAP_NET_RAW"))
    #expect(Capabilities.netAdmin.finding == .fact("privileges", "CAP_NET_ADMIN"))
    #expect(Capabilities([]).finding == .fact("privileges", "neither CAP_NET_RAW nor CAP_NET_ADMIN"))
  }
}

@Suite("What a check says of memory")
struct MemoryFindingsTests {
  private func memory(_ files: [String: String]) -> SystemMemory { SystemMemory { files[$0] } }
  private let meminfo = "MemTotal:        2048000 kB\nMemFree:          100000 kB\n"

  @Test("the least limit of the control groups around the process holds, of either hierarchy")
  func limits() {
    #expect(memory(["/proc/meminfo": meminfo]) == SystemMemory(machine: 2_097_152_000))
    #expect(
      memory([
        "/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/system.slice/flowprobe.service\n",
        "/sys/fs/cgroup/system.slice/flowprobe.service/memory.max": "max\n",
        "/sys/fs/cgroup/system.slice/memory.max": "536870912\n",
      ]).limit == 536_870_912)
    #expect(
      memory([
        "/proc/meminfo": meminfo, "/proc/self/cgroup": "4:cpu,memory:/a\n0::/\n",
        "/sys/fs/cgroup/memory/a/memory.limit_in_bytes": "268435456\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
      ]).limit == 268_435_456)
    #expect(
      memory([
        "/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "9223372036854771712\n",
      ]).limit == nil)
  }

  @Test("a table that does not fit is told of, and what to change")
  func need() {
    let need = MemoryNeed(flows: 1000, ipv4: 100 << 20, ipv6: 200 << 20, rings: 64 << 20)
    #expect(
      MemoryFindings.findings(need, SystemMemory(machine: 264 << 20)) == [
        .fact("table", "1000 flows at most: 100 MiB full of IPv4, 200 MiB of IPv6; the machine has 264 MiB")
      ])
    #expect(
      MemoryFindings.findings(need, SystemMemory(machine: 1 << 30, limit: 263 << 20)) == [
        .fact("table", "1000 flows at most: 100 MiB full of IPv4, 200 MiB of IPv6; a limit of 263 MiB"),
        .notice(
          "a full table and the capture buffers take up to 264 MiB, and the control group's limit is 263 MiB: the kernel"
            + " would end flowprobe; lower --maxflows or --buffer-size, or raise the limit"),
      ])
    #expect(MemoryFindings.findings(need, SystemMemory()).count == 1)
  }
}
