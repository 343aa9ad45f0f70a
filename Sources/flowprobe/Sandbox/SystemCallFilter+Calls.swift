// SPDX-License-Identifier: Apache-2.0

internal import CShims
internal import Glibc

/// What flowprobe and its libraries ask of the kernel once it runs: glibc with its resolver and the modules that that
/// loads, libpcap, libnfnetlink, libmicrohttpd, OpenSSL. Numbers are the system's headers'.
extension SystemCallFilter {
  /// - Parameter process: its own, which alone it may signal.
  init(process: pid_t) {
    let always = Self.waiting + Self.network + Self.files + Self.memory + Self.threads + Self.knowledge
    allowed = (always + Self.ofThisArchitecture).map { Rule(number: UInt32($0)) } + Self.restricted(process)
    fatal = Self.neverMade.map { UInt32($0) }
    // Its arguments are in memory, where a filter does not see them; glibc falls back on clone.
    absent = [UInt32(SYS_clone3)]
  }

  /// Those on a packet's and a message's way come first.
  private static let waiting = [
    SYS_futex, SYS_ppoll, SYS_recvmsg, SYS_recvmmsg, SYS_recvfrom, SYS_sendto, SYS_sendmsg, SYS_sendmmsg,
    SYS_getsockopt, SYS_read, SYS_write, SYS_clock_nanosleep, SYS_nanosleep, SYS_clock_gettime, SYS_clock_getres,
    SYS_gettimeofday, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2,
    SYS_pipe2, SYS_restart_syscall,
  ]

  private static let network = [
    SYS_setsockopt, SYS_connect, SYS_bind, SYS_accept, SYS_accept4, SYS_shutdown, SYS_getsockname, SYS_getpeername,
  ]

  private static let files = [
    SYS_openat, SYS_close, SYS_close_range, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs,
    SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_lseek, SYS_pread64, SYS_pwrite64, SYS_readv,
    SYS_writev, SYS_preadv, SYS_pwritev, SYS_preadv2, SYS_pwritev2, SYS_fcntl, SYS_flock, SYS_dup, SYS_dup3, SYS_fsync,
    SYS_fdatasync, SYS_sync_file_range, SYS_ftruncate, SYS_fallocate, SYS_fadvise64, SYS_renameat, SYS_renameat2,
    SYS_linkat, SYS_unlinkat, SYS_mkdirat, SYS_fchmod, SYS_fchmodat, SYS_umask, SYS_getcwd, SYS_sendfile,
    SYS_copy_file_range,
  ]

  private static let memory = [SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_mincore, SYS_membarrier]

  private static let threads = [
    SYS_exit, SYS_exit_group, SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_set_tid_address, SYS_gettid,
    SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getparam, SYS_sched_getscheduler,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_rt_sigpending, SYS_rt_sigsuspend,
    SYS_sigaltstack,
  ]

  private static let knowledge = [
    SYS_getpid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getgroups, SYS_getresuid,
    SYS_getresgid, SYS_capget, SYS_getrandom, SYS_getcpu, SYS_uname, SYS_sysinfo, SYS_getrusage, SYS_times,
    SYS_getrlimit,
  ]

  /// What may be made with some arguments alone.
  private static func restricted(_ process: pid_t) -> [Rule] {
    let own = UInt32(bitPattern: process)
    return [
      Rule(SYS_socket, [0: [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET]]),
      Rule(SYS_socketpair, [0: [AF_UNIX]]),
      // A thread, never a process.
      Rule(SYS_clone, Condition(argument: 0, mask: UInt32(CLONE_THREAD), value: UInt32(CLONE_THREAD))),
      // Nothing is written and then executed.
      Rule(SYS_mmap, Condition(argument: 2, mask: writable | executable, value: writable | executable, holds: false)),
      Rule(SYS_mprotect, Condition(argument: 2, mask: executable, value: 0)),
      Rule(SYS_kill, Condition(argument: 0, value: own)),
      Rule(SYS_tgkill, Condition(argument: 0, value: own)),
      // To learn a limit, not to set one.
      Rule(
        SYS_prlimit64, Condition(argument: 2, value: 0), Condition(argument: 2, isUpperHalf: true, value: 0)),
      Rule(SYS_prctl, [0: [PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ, PR_SET_VMA]]),
      // Of sockets and wireless interfaces; what waits in a socket; whether there is a terminal, and its size. Never what types on one.
      Rule(number: UInt32(SYS_ioctl), alternatives: ioctls),
    ]
  }

  private static let (writable, executable) = (UInt32(PROT_WRITE), UInt32(PROT_EXEC))

  private static let ioctls: [[Condition]] =
    [0x8900, 0x8b00].map { [Condition(argument: 1, mask: 0xff00, value: $0)] }
    + [TIOCOUTQ, TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO].map { [Condition(argument: 1, value: UInt32($0))] }

  private static let neverMade =
    // Another program, and others' memory.
    [SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_pidfd_getfd]
    // The kernel.
    + [SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_bpf]
    + [SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_reboot]
    + [SYS_keyctl, SYS_add_key, SYS_request_key, SYS_swapon, SYS_swapoff]
    // Other users, other rights, other namespaces.
    + [SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid]
    + [SYS_setgroups, SYS_capset, SYS_setns, SYS_unshare]
    // Other files.
    + [SYS_mount, SYS_umount2, SYS_move_mount, SYS_open_tree, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick]
    + [SYS_mount_setattr, SYS_pivot_root, SYS_chroot, SYS_open_by_handle_at]

  /// The newest call that the headers of Debian 12 name, as both architectures number it.
  static let newestKnown = UInt32(SYS_set_mempolicy_home_node)

  #if arch(x86_64)
    /// For what newer architectures have one call with more arguments each.
    private static let ofThisArchitecture = [
      SYS_poll, SYS_select, SYS_epoll_wait, SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_rename,
      SYS_unlink, SYS_mkdir, SYS_chmod, SYS_dup2, SYS_time,
    ]
  #elseif arch(arm64)
    private static let ofThisArchitecture: [Int32] = []
  #endif
}

extension SystemCallFilter.Rule {
  fileprivate init(_ number: Int32, _ conditions: SystemCallFilter.Condition...) {
    self.init(number: UInt32(number), alternatives: [conditions])
  }

  /// - Parameter values: those that one argument may have.
  fileprivate init(_ number: Int32, _ values: [Int: [Int32]]) {
    self.init(
      number: UInt32(number),
      alternatives: values.flatMap { argument, values in
        values.map { [.init(argument: argument, value: UInt32(bitPattern: $0))] }
      })
  }
}
