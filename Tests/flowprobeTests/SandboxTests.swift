// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls on paths of ours.

import FlowMeter
import Glibc
import Testing

@testable import flowprobe

@Suite("What the program may reach and do")
struct SandboxTests {
  private func access(_ arguments: String) throws -> FileAccess {
    let options = try #require(try metering(arguments))
    return FileAccess(
      try options.configuration, configurationFiles: options.files.config)
  }

  @Test("files are written where options say so, and nowhere else")
  func written() throws {
    let plain = try access("-i eth0 --dest 192.0.2.1:2055 --no-stat --no-control")
    #expect(plain.written == [] && plain.namesIn == [])
    let all = try access(
      "-i eth0 --dest 192.0.2.1:2055 --stat-dir /srv/stat --control /run/x/control --pidfile /run/y.pid")
    #expect(all.written == ["/srv/stat"])
    #expect(all.namesIn == ["/run/x", "/run"])
    // Another one beside it may follow with a changed configuration, but not where many have theirs.
    for (spool, place) in [("/srv/spools/a", "/srv/spools"), ("/var/spool/flowprobe", "/var/spool/flowprobe")] {
      #expect(try access("-i eth0 --dest tcp://192.0.2.1?spool=\(spool) --no-stat --no-control").written == [place])
    }
    // Nor where the configuration is, or certificates: who takes flowprobe over shall not write its orders.
    for beside in ["spool=/srv/x/spool --config /srv/x/conf", "spool=/srv/x/spool&ca=/srv/x/ca.pem"] {
      #expect(try access("-i eth0 --dest tls://192.0.2.1?\(beside) --no-stat --no-control").written == ["/srv/x/spool"])
    }
  }

  @Test("what is read again is reached by its directory, since editors make a new file")
  func read() throws {
    let plain = try access("-i eth0")
    let options = try #require(try metering("-i eth0"))
    let files = FileAccess(
      try options.configuration, configurationFiles: ["/home/x/flowprobe.conf", "other.conf"])
    #expect(Set(files.read).subtracting(plain.read) == ["/home/x", "."])
    #expect(try access("-r /home/x/capture.pcap").files.first == "/home/x/capture.pcap")
    #expect(!(try access("-r -").files.contains("-")))
  }

  @Test("in another root directory its files are meant")
  func root() throws {
    let files = try access("-i eth0 --stat-dir /stat --user nobody --chroot /srv/jail")
    #expect(files.written == ["/srv/jail/stat"])
    #expect(files.read.contains("/srv/jail/etc"))
  }

  @Test("each version of Landlock is asked for what it knows")
  func versions() throws {
    let access = try access("-i eth0 --stat-dir /srv/stat --control /run/x/control")
    func rights(_ version: Int, _ path: String) -> [UInt64] {
      Landlock(access, port: nil, version: version).places.filter { $0.path == path }.map(\.rights)
    }
    // As <linux/landlock.h> numbers them: 13, then REFER, TRUNCATE, none, IOCTL_DEV, none.
    let known = [0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff, 0xffff, 0xffff] as [UInt64]
    #expect((1...7).map { Landlock.Rights.known(to: $0).rawValue } == known)
    #expect(rights(1, "/srv/stat") == [0x01be])
    #expect(rights(2, "/srv/stat") == [0x21be])
    #expect(rights(7, "/srv/stat") == [0x61be])
    #expect(rights(7, "/run/x") == [0x0220])
    #expect(rights(7, "/etc") == [0x000c])
  }

  @Test("the kernel keeps the program to its places", .enabled(if: Landlock.kernelVersion > 0))
  func kernel() throws {
    let folder = "/tmp/flowprobe-landlock-\(getpid())"
    let (own, other) = ("\(folder)/own", "\(folder)/other")
    DirectoryTree.make(own)
    DirectoryTree.make(other)
    unsafe symlink(other, "\(own)/link")
    close(unsafe open("\(other)/secret", O_CREAT | O_WRONLY, 0o644))
    defer { for path in ["\(own)/link", "\(own)/b", own, "\(other)/secret", other, folder] { unsafe remove(path) } }
    let codes = try onThread {
      var access = FileAccess(written: [own])
      access.read = ["/etc"]
      do throws(SystemError) {
        try Landlock(access, port: 9995, version: Landlock.kernelVersion).begin()
      } catch {
        return [error.code]
      }
      func opening(_ path: String, _ flags: Int32) -> Int32 {
        let descriptor = unsafe open(path, flags, 0o644)
        defer { if descriptor >= 0 { close(descriptor) } }
        return code(descriptor)
      }
      let made = opening("\(own)/a", O_CREAT | O_WRONLY)
      let renamed = unsafe code(rename("\(own)/a", "\(own)/b"))
      return [
        made, renamed, opening("/etc/passwd", O_RDONLY),
        opening("\(other)/secret", O_RDONLY), opening("\(other)/new", O_CREAT | O_WRONLY),
        // A link leads nowhere else.
        opening("\(own)/link/new", O_CREAT | O_WRONLY), opening("/etc/passwd", O_WRONLY),
        unsafe code(mkdir("\(other)/directory", 0o755)), unsafe code(unlink("\(other)/secret")),
      ]
    }
    #expect(codes == [0, 0, 0, EACCES, EACCES, EACCES, EACCES, EACCES, EACCES])
  }

  @Test("a server may listen at its port alone", .enabled(if: Landlock.kernelVersion >= 4))
  func ports() throws {
    let address = try #require(ListeningAddress("127.0.0.1:28471"))
    let other = try #require(ListeningAddress("127.0.0.1:28472"))
    let results = try onThread {
      do throws(SystemError) {
        try Landlock(FileAccess(), port: address.port, version: Landlock.kernelVersion).begin()
      } catch {
        return ["\(error)"]
      }
      return [address, other].map { address in
        do throws(ListeningError) {
          close(try address.listen())
          return "listens"
        } catch {
          return error.description
        }
      }
    }
    #expect(results.count == 2 && results[0] == "listens")
    #expect(results.last?.hasPrefix("cannot serve metrics on 127.0.0.1:28472: permission denied") == true)
  }

  @Test("capabilities stay for what is opened again or asked again: interfaces, and conntrack's table")
  func kept() throws {
    func kept(_ arguments: String, isRoot: Bool) throws -> String {
      let options = try #require(try metering(arguments))
      return Service.kept(try options.configuration, isRoot: isRoot).names
    }
    let user = "--user nobody"
    #expect(try kept("-i eth0 \(user)", isRoot: true) == "CAP_NET_RAW")
    #expect(try kept("--nflog 5 \(user)", isRoot: true) == "")
    #expect(try kept("--nflog 5 --natevents \(user)", isRoot: true) == "CAP_NET_ADMIN")
    #expect(try kept("-i eth0 --nat-fields \(user)", isRoot: true) == "CAP_NET_RAW, CAP_NET_ADMIN")
    #expect(try kept("-i eth0 \(user) --keep-capabilities none", isRoot: true) == "")
    #expect(try kept("--nflog 5 \(user) --keep-capabilities all", isRoot: true) == "CAP_NET_RAW, CAP_NET_ADMIN")
    #expect(try kept("-r x.pcap", isRoot: true) == "")
    #expect(try kept("-i eth0", isRoot: false) == "CAP_NET_RAW")
    #expect(try kept("-i eth0", isRoot: true) == "CAP_NET_RAW, CAP_NET_ADMIN, CAP_DAC_OVERRIDE")
    #expect(try kept("-i eth0 --keep-capabilities needed", isRoot: true) == "CAP_NET_RAW")
  }

  @Test("what a changed configuration takes is that of its new sources")
  func changed() throws {
    func needed(_ old: String, _ new: String) throws -> String {
      let (old, new) = (try metering(old)!.configuration, try metering(new)!.configuration)
      return new.capabilitiesToOpen(beside: old).names
    }
    #expect(try needed("-i eth0", "-i eth0 --dest 192.0.2.1") == "")
    #expect(try needed("-i eth0", "-i eth0 -i eth1") == "CAP_NET_RAW")
    #expect(try needed("--nflog 5", "--nflog 5-6") == "CAP_NET_ADMIN")
    #expect(try needed("--nflog 5-6", "--nflog 5") == "")
    #expect(try needed("--nflog 5", "--nflog 5 --natevents") == "CAP_NET_ADMIN")
    #expect(try needed("--nflog 5 --natevents", "--nflog 5 --natevents -i eth0") == "CAP_NET_RAW")
  }

  @Test("without capabilities conntrack's table cannot be listed, and that is said at the start")
  func none() throws {
    let refused = try #require(refusal("--natevents --keep-capabilities none"))
    #expect(refused.text.contains("--keep-capabilities none leaves none to list conntrack's table with"))
    #expect(refused.code == 64)
    #expect(refusal("-i eth0 --keep-capabilities none") == nil)
  }

  @Test("what is written to logs and terminals has no orders in it")
  func controls() {
    let written = "eth0\u{1b}[31m\u{9b}2J\u{7f}é\r\n2".withoutControls
    #expect(written.unicodeScalars.allSatisfy { !$0.isControl || $0 == "\n" })
    #expect("eth0\u{1b}[31m".withoutControls == "eth0?[31m")
    #expect("a\nb é 中".withoutControls == "a\nb é 中")
  }

  @Test("a configuration that others may write is told of")
  func exposed() {
    let path = "/tmp/flowprobe-exposed-\(getpid())"
    close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
    defer { unsafe unlink(path) }
    #expect(ConfigurationFile.exposure(of: path) == nil)
    unsafe chmod(path, 0o666)
    #expect(
      ConfigurationFile.exposure(of: path)
        == "anybody may write to '\(path)', and so decide what flowprobe does; run 'chmod o-w \(path)'")
  }
}
