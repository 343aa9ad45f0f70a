// SPDX-License-Identifier: Apache-2.0

import FlowMeter
import Glibc
import Testing

@testable import flowprobe

@Suite("The program as a service")
struct ServiceTests {
  private func file(_ name: String) -> String { "/tmp/flowprobe-\(name)-\(getpid())" }

  @Test("the file of the process id is there while it is held, and has one holder")
  func pidFile() throws {
    let path = file("pid")
    let first = try PidFile(path: path)
    #expect(TextFile.read(path) == "\(getpid())\n")
    #expect(throws: ServiceError.running(path, process: "\(getpid())")) { _ = try PidFile(path: path) }
    _ = consume first
    #expect(unsafe access(path, F_OK) == -1)
  }

  @Test("a file that was left behind is taken over")
  func pidFileLeft() throws {
    let path = file("left")
    let left = unsafe open(path, O_RDWR | O_CREAT, 0o644)
    Console.write(to: left, "4194303 and more\n")
    close(left)
    let file = try PidFile(path: path)
    #expect(TextFile.read(path) == "\(getpid())\n")
    _ = consume file
  }

  @Test("a link in the place of the file is not followed")
  func pidFileLink() {
    let (path, target) = (file("link"), file("target"))
    unsafe symlink(target, path)
    defer { unsafe unlink(path) }
    #expect(throws: ServiceError.self) { _ = try PidFile(path: path) }
    #expect(unsafe access(target, F_OK) == -1)
  }

  @Test("a user is named alone or with a group, and must be there")
  func users() throws {
    let root = try ServiceUser("root")
    #expect(root.user == 0 && root.group == 0 && root.groups.contains(0))
    let other = try ServiceUser("nobody:root")
    #expect(other.name == "nobody" && other.user == 65534 && other.group == 0)
    #expect(throws: ServiceError.noUser("no-such-user")) { _ = try ServiceUser("no-such-user") }
    #expect(throws: ServiceError.noUser("")) { _ = try ServiceUser("") }
    #expect(throws: ServiceError.noGroup("")) { _ = try ServiceUser("root:") }
    #expect(throws: ServiceError.noGroup("no-such-group")) { _ = try ServiceUser("root:no-such-group") }
  }

  @Test("a root directory of its own is for another user than root")
  func root() throws {
    let refused = try #require(refusal("-i eth0 --chroot /var/empty"))
    #expect(refused.text.contains("--chroot alone holds nobody"))
    #expect(refused.code == 64)
    #expect(refusal("-i eth0 --user nobody --chroot /var/empty --pidfile /run/flowprobe.pid") == nil)
  }

  @Test("standard error is the journal's where it is the very stream")
  func journal() {
    var status = stat()
    unsafe fstat(STDERR_FILENO, &status)
    #expect(JournalStream.isStandardError("\(status.st_dev):\(status.st_ino)"))
    #expect(!JournalStream.isStandardError("\(status.st_dev):\(status.st_ino + 1)"))
    #expect(!JournalStream.isStandardError(nil))
    #expect(JournalStream.line("cannot capture", .error) == "<3>cannot capture")
    #expect(JournalStream.line("metered 5 packets", .info) == "<6>metered 5 packets")
  }
}
