// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: system calls with arguments of ours, to see that they are refused.

import CShims
import FlowMeter
import Glibc
import Synchronization
import Testing

@testable import flowprobe

/// What the kernel would say: classic BPF as seccomp(2) runs it, of the instructions that there are.
private struct Machine {
  let programs: [[sock_filter]]

  /// Of several programs' verdicts the strictest holds, whose number is the least by its sign.
  func verdict(_ number: Int32, _ arguments: [UInt64] = [], architecture: UInt32 = cshims_architecture()) -> UInt32? {
    let verdicts = programs.compactMap { verdict(of: $0, number, arguments, architecture) }
    return verdicts.count == programs.count ? verdicts.min { Int32(bitPattern: $0) < Int32(bitPattern: $1) } : nil
  }

  private func verdict(
    of program: [sock_filter], _ number: Int32, _ arguments: [UInt64], _ architecture: UInt32
  ) -> UInt32? {
    var words = [UInt32(bitPattern: number), architecture, 0, 0]
    for argument in arguments + Array(repeating: 0, count: 6 - arguments.count) {
      words += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)]
    }
    var (place, accumulator) = (0, UInt32(0))
    while program.indices.contains(place) {
      let instruction = program[place]
      place += 1
      switch Int32(instruction.code) {
      case BPF_LD | BPF_W | BPF_ABS: accumulator = words[Int(instruction.k) / 4]
      case BPF_ALU | BPF_AND | BPF_K: accumulator &= instruction.k
      case BPF_JMP | BPF_JEQ | BPF_K: place += Int(accumulator == instruction.k ? instruction.jt : instruction.jf)
      case BPF_JMP | BPF_JGT | BPF_K: place += Int(accumulator > instruction.k ? instruction.jt : instruction.jf)
      case BPF_RET | BPF_K: return instruction.k
      default: return nil
      }
    }
    return nil
  }
}

/// What a body gives on a thread of its own, which is confined alone.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) throws -> Result {
  let result = Mutex<Result?>(nil)
  try WorkerThread(name: "confined") {
    cshims_process_control(PR_SET_NO_NEW_PRIVS, 1)
    let value = body()
    result.withLock { $0 = value }
  }.join()
  return try #require(result.withLock { $0 })
}

/// 0, or the errno of a call that returned less.
func code(_ result: Int32) -> Int32 { result < 0 ? errno : 0 }

@Suite("The filter of system calls")
struct SystemCallFilterTests {
  private let machine = Machine(programs: SystemCallFilter(process: 4711).programs.map(\.code))
  private let allow: UInt32 = 0x7fff_0000
  private let end: UInt32 = 0x8000_0000
  private func error(_ code: Int32) -> UInt32 { 0x0005_0000 | UInt32(code) }

  @Test("what a flow exporter does is allowed, what it never does ends it, and the rest is not permitted")
  func verdicts() {
    for call in [SYS_read, SYS_sendmsg, SYS_recvmmsg, SYS_futex, SYS_openat, SYS_fsync, SYS_linkat, SYS_connect] {
      #expect(machine.verdict(call) == allow, "call \(call)")
    }
    for call in [SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_mount, SYS_init_module, SYS_bpf]
      + [SYS_keyctl, SYS_userfaultfd, SYS_perf_event_open, SYS_setuid, SYS_setgroups, SYS_capset, SYS_chroot]
    {
      #expect(machine.verdict(call) == end, "call \(call)")
    }
    for call in [SYS_listen, SYS_fchownat, SYS_symlinkat, SYS_mknodat, SYS_setpriority, SYS_memfd_create]
      + [SYS_seccomp, SYS_personality, SYS_settimeofday, SYS_pidfd_open, SYS_waitid, SYS_setsid]
    {
      #expect(machine.verdict(call) == error(EPERM), "call \(call)")
    }
  }

  @Test("a call that is newer than this program is said not to be there, and so is clone3")
  func newer() {
    #expect(machine.verdict(451) == error(ENOSYS))
    #expect(machine.verdict(100_000) == error(ENOSYS))
    #expect(machine.verdict(SYS_clone3) == error(ENOSYS))
  }

  @Test("another architecture's numbers end it")
  func architecture() {
    // AUDIT_ARCH_I386, which x86_64 runs too.
    #expect(machine.verdict(SYS_read, architecture: 0x4000_0003) == end)
  }

  @Test("some calls are allowed by their arguments")
  func conditions() {
    #expect(machine.verdict(SYS_socket, [2, 2, 17]) == allow)
    #expect(machine.verdict(SYS_socket, [16, 3, 12]) == allow)
    // AF_ALG, AF_VSOCK.
    #expect(machine.verdict(SYS_socket, [38, 5, 0]) == error(EPERM))
    #expect(machine.verdict(SYS_socket, [40, 1, 0]) == error(EPERM))
    // A thread as glibc makes one; fork.
    #expect(machine.verdict(SYS_clone, [0x3d0f00]) == allow)
    #expect(machine.verdict(SYS_clone, [0x1200011]) == error(EPERM))
    // Read and write; read and execute; write and execute.
    #expect(machine.verdict(SYS_mmap, [0, 4096, 3]) == allow)
    #expect(machine.verdict(SYS_mmap, [0, 4096, 5]) == allow)
    #expect(machine.verdict(SYS_mmap, [0, 4096, 6]) == error(EPERM))
    #expect(machine.verdict(SYS_mprotect, [0, 4096, 1]) == allow)
    #expect(machine.verdict(SYS_mprotect, [0, 4096, 5]) == error(EPERM))
    // Signals to itself; to all.
    #expect(machine.verdict(SYS_kill, [4711, 12]) == allow)
    #expect(machine.verdict(SYS_kill, [1, 12]) == error(EPERM))
    #expect(machine.verdict(SYS_kill, [UInt64(bitPattern: -1), 12]) == error(EPERM))
    #expect(machine.verdict(SYS_tgkill, [4711, 4712, 12]) == allow)
    #expect(machine.verdict(SYS_prlimit64, [0, 7, 0, 0x7fff_0000]) == allow)
    #expect(machine.verdict(SYS_prlimit64, [0, 7, 0x7fff_0000, 0]) == error(EPERM))
    #expect(machine.verdict(SYS_prlimit64, [0, 7, 1 << 32, 0]) == error(EPERM))
    // PR_SET_NAME; PR_SET_DUMPABLE.
    #expect(machine.verdict(SYS_prctl, [15]) == allow)
    #expect(machine.verdict(SYS_prctl, [4, 1]) == error(EPERM))
    // SIOCGIFINDEX, SIOCETHTOOL, TCGETS; TIOCSTI types on a terminal.
    for request in [0x8933, 0x8946, 0x5401] as [UInt64] { #expect(machine.verdict(SYS_ioctl, [3, request]) == allow) }
    #expect(machine.verdict(SYS_ioctl, [0, 0x5412]) == error(EPERM))
  }

  @Test("the kernel takes it, and refuses what it says", .enabled(if: SystemCallFilter.isAvailable))
  func kernel() throws {
    let codes = try onThread {
      do throws(SystemError) {
        try SystemCallFilter(process: getpid()).install(onEveryThread: false)
      } catch {
        return [error.code]
      }
      let file = unsafe open("/etc/passwd", O_RDONLY | O_CLOEXEC)
      let opened = code(file)
      let memory = unsafe mmap(nil, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      let mapped = Int(bitPattern: memory) == cshims_map_failed() ? errno : 0
      var character = CChar(10)
      let codes = [
        opened, mapped, code(socket(38, Int32(SOCK_SEQPACKET.rawValue), 0)), code(kill(1, 0)), code(kill(getpid(), 0)),
        unsafe code(ioctl(STDIN_FILENO, 0x5412, &character)), code(setsid()), code(listen(file, 1)),
      ]
      close(file)
      return codes
    }
    #expect(codes == [0, EPERM, EPERM, EPERM, 0, EPERM, EPERM, EPERM])
  }

  @Test("to become another program ends it", .enabled(if: SystemCallFilter.isAvailable))
  func execution() async {
    await #expect(processExitsWith: .signal(SIGSYS)) {
      cshims_process_control(PR_SET_NO_NEW_PRIVS, 1)
      try SystemCallFilter(process: getpid()).install()
      let none = UnsafeMutablePointer<CChar>?.none
      var arguments = unsafe [none]
      _ = unsafe execve("/bin/true", &arguments, &arguments)
    }
  }
}
