// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: hands a program of ours to seccomp(2), which copies it.

internal import CShims
internal import FlowMeter
internal import Glibc

/// Which system calls a program may make, as seccomp(2) takes it: a program of classic BPF.
///
/// It is written here and not by libseccomp: a list of numbers with a few conditions takes four kinds of instructions,
/// and a value can be looked at in tests, without one library more to build with and to trust.
struct SystemCallFilter {
  /// A call that may be made.
  struct Rule {
    var number: UInt32
    /// It may be made where all conditions of one of these lists hold; without any, always.
    var alternatives: [[Condition]] = []
  }

  /// That 32 of an argument's 64 bits have a value.
  struct Condition {
    /// From 0.
    var argument: Int
    /// Which of them; the kernel looks at the lower ones alone where an argument is an int.
    var isUpperHalf = false
    /// What is looked at of them.
    var mask = UInt32.max
    var value: UInt32
    /// Whether they must have the value, or must not.
    var holds = true
  }

  var allowed: [Rule]
  /// What ends the process: calls that nothing in it makes, but somebody who has taken it over may want.
  var fatal: [UInt32]
  /// What the kernel is to say not to have: its caller has another way, which can be looked at.
  var absent: [UInt32]

  /// The two programs that hold together. The first says that calls are not there, of which nobody is told; so are calls
  /// that are newer than this program: a newer C library does then what it did before there were such. The other refuses
  /// and ends, and what it refuses goes to the kernel's audit log where that is kept.
  var programs: [(code: [sock_filter], isLogged: Bool)] { [(absence, false), (refusals, true)] }

  private var absence: [sock_filter] {
    var code = Self.beginning
    for number in absent { code += [Self.jump(ifEqual: number, 0, 1), Self.end(Verdict.error(ENOSYS))] }
    return code + Self.ifNewer(Verdict.error(ENOSYS)) + [Self.end(Verdict.allow)]
  }

  /// A linear search, the most frequent calls first. Where the kernel can it runs it once for a number whose verdict does
  /// not depend on arguments (since 5.11).
  private var refusals: [sock_filter] {
    var code = Self.beginning
    for rule in allowed {
      let block = Self.block(rule.alternatives)
      code.append(Self.jump(ifEqual: rule.number, 0, UInt8(block.count)))
      code += block
    }
    for number in fatal { code += [Self.jump(ifEqual: number, 0, 1), Self.end(Verdict.kill)] }
    // The other program's.
    for number in absent { code += [Self.jump(ifEqual: number, 0, 1), Self.end(Verdict.allow)] }
    return code + Self.ifNewer(Verdict.allow) + [Self.end(Verdict.error(EPERM))]
  }

  /// Has the number at hand. Numbers mean something else to another architecture.
  private static let beginning = [
    load(Offset.architecture), jump(ifEqual: cshims_architecture(), 1, 0), end(Verdict.kill), load(Offset.number),
  ]

  private static func ifNewer(_ verdict: UInt32) -> [sock_filter] {
    [instruction(BPF_JMP | BPF_JGT | BPF_K, newestKnown, 0, 1), end(verdict)]
  }

  /// What follows once the number is the rule's; it decides.
  private static func block(_ alternatives: [[Condition]]) -> [sock_filter] {
    guard !alternatives.isEmpty else { return [end(Verdict.allow)] }
    var code: [sock_filter] = []
    for conditions in alternatives {
      var part = [end(Verdict.allow)]
      for condition in conditions.reversed() {
        let past = UInt8(part.count)
        let test = jump(ifEqual: condition.value, condition.holds ? 0 : past, condition.holds ? past : 0)
        let mask = condition.mask == .max ? [] : [instruction(BPF_ALU | BPF_AND | BPF_K, condition.mask)]
        part = [load(Offset.argument(condition.argument, isUpperHalf: condition.isUpperHalf))] + mask + [test] + part
      }
      code += part
    }
    return code + [end(Verdict.error(EPERM))]
  }

  /// Where struct seccomp_data has what is looked at; both architectures are little-endian.
  private enum Offset {
    static let number: UInt32 = 0
    static let architecture: UInt32 = 4
    static func argument(_ number: Int, isUpperHalf: Bool) -> UInt32 {
      16 + 8 * UInt32(number) + (isUpperHalf ? 4 : 0)
    }
  }

  enum Verdict {
    static let allow = UInt32(SECCOMP_RET_ALLOW)
    static let kill = UInt32(SECCOMP_RET_KILL_PROCESS)
    static func error(_ code: Int32) -> UInt32 { UInt32(SECCOMP_RET_ERRNO) | UInt32(code) }
  }

  private static func load(_ offset: UInt32) -> sock_filter { instruction(BPF_LD | BPF_W | BPF_ABS, offset) }
  private static func end(_ verdict: UInt32) -> sock_filter { instruction(BPF_RET | BPF_K, verdict) }
  private static func jump(ifEqual value: UInt32, _ yes: UInt8, _ no: UInt8) -> sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
  }
  private static func instruction(_ code: Int32, _ value: UInt32, _ yes: UInt8 = 0, _ no: UInt8 = 0) -> sock_filter {
    sock_filter(code: UInt16(code), jt: yes, jf: no, k: value)
  }

  /// Begins to hold; for good.
  ///
  /// - Parameter everyThread: of the process, or the calling one and those that it starts.
  func install(onEveryThread everyThread: Bool = true) throws(SystemError) {
    let threads = everyThread ? UInt32(SECCOMP_FILTER_FLAG_TSYNC) : 0
    for (code, isLogged) in programs {
      var result = Self.install(code, threads | (isLogged ? UInt32(SECCOMP_FILTER_FLAG_LOG) : 0))
      // A kernel before 4.14 has no such flag.
      if result == -1, errno == EINVAL, isLogged { result = Self.install(code, threads) }
      guard result != -1 else { throw .last }
      // A thread has filters of its own, or may gain privileges.
      guard result == 0 else { throw SystemError(code: EBUSY) }
    }
  }

  private static func install(_ code: [sock_filter], _ flags: UInt32) -> Int32 {
    var code = code
    return unsafe code.withUnsafeMutableBufferPointer { code in
      var argument = unsafe sock_fprog(len: UInt16(code.count), filter: code.baseAddress)
      return unsafe cshims_seccomp(UInt32(SECCOMP_SET_MODE_FILTER), flags, &argument)
    }
  }

  /// Whether the kernel has it.
  static var isAvailable: Bool {
    var action = UInt32(SECCOMP_RET_KILL_PROCESS)
    return unsafe cshims_seccomp(UInt32(SECCOMP_GET_ACTION_AVAIL), 0, &action) == 0
  }
}
