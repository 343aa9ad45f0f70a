// SPDX-License-Identifier: Apache-2.0
//
// What Swift cannot say: a prefetch, a load that may race with a writer, a thread's name and processors, prctl and
// capset, seccomp and Landlock, accept4, the credentials of a socket's peer, renameat2, sendmmsg, recvmmsg and the
// ancillary data of UDP_SEGMENT and IP_RECVERR, and constants that are macros. No logic.

#pragma once

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio_ext.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

/// Asks the processor to bring in the line at `address` for writing. Never faults.
static inline void cshims_prefetch(const void *_Nonnull address) { __builtin_prefetch(address, 1, 3); }

/// Loads a word that another thread may be writing: the value is a hint.
static inline uint64_t cshims_load_hint(const uint64_t *_Nonnull address) {
  return __atomic_load_n(address, __ATOMIC_RELAXED);
}

/// Names the calling thread; the kernel takes 15 octets.
void cshims_set_thread_name(const char *_Nonnull name);

/// The number of the processor that the calling thread runs on.
int cshims_current_processor(void);
/// How many processors the process may run on, as its main thread may; 0 where the system does not say.
int cshims_processor_count(void);
/// Lets threads that are made with these attributes run on one processor alone; 0 or an errno. That there is no such
/// processor pthread_create says.
int cshims_set_processor(pthread_attr_t *_Nonnull attributes, int processor);

/// Takes the next connection; the socket does not block. Returns what accept4 returns; errno as it left it.
int cshims_accept(int socket);
/// The user and the group of who is at the other end of a Unix socket (SO_PEERCRED); -1 where the system does not say.
int cshims_peer(int socket, uint32_t *_Nonnull user, uint32_t *_Nonnull group);
/// prctl(2) with one argument.
int cshims_process_control(int option, unsigned long argument);
/// The calling thread's capability sets, two words each (capget(2), version 3); -1 and errno where that failed.
int cshims_get_capabilities(struct __user_cap_data_struct *_Nonnull sets);
int cshims_set_capabilities(const struct __user_cap_data_struct *_Nonnull sets);

/// Renames a file within a directory unless the new name is taken (EEXIST); returns what renameat2 returns.
int cshims_rename_no_replace(int directory, const char *_Nonnull from, const char *_Nonnull to);
/// seccomp(2): 0, or -1 and errno; with SECCOMP_FILTER_FLAG_TSYNC the number of a thread that could not be filtered.
int cshims_seccomp(unsigned operation, unsigned flags, void *_Nullable argument);
/// The machine as a filter is told it (AUDIT_ARCH_…).
static inline uint32_t cshims_architecture(void) {
#if defined(__x86_64__)
  return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
  return AUDIT_ARCH_AARCH64;
#else
#error "the sandbox knows x86_64 and aarch64: name this architecture here and in SystemCallFilter"
#endif
}
/// A descriptor of a file or directory as a place (O_PATH); -1 and errno where that failed.
int cshims_open_place(const char *_Nonnull path);
/// What landlock_create_ruleset(2) takes since version 6 of its ABI; an older one takes the first of it.
struct cshims_landlock_ruleset {
  uint64_t handled_access_fs;
  uint64_t handled_access_net;
  uint64_t scoped;
};
/// What landlock_add_rule(2) takes with LANDLOCK_RULE_NET_PORT, which is 2.
struct cshims_landlock_port {
  uint64_t allowed_access;
  uint64_t port;
};
/// The three calls of landlock(7): -1 and errno where one failed.
int cshims_landlock_create_ruleset(
    const struct cshims_landlock_ruleset *_Nullable attributes, size_t size, unsigned flags);
int cshims_landlock_add_rule(int ruleset, int type, const void *_Nonnull rule);
int cshims_landlock_restrict_self(int ruleset);

/// MAP_FAILED as an integer, for comparison.
static inline intptr_t cshims_map_failed(void) { return (intptr_t)MAP_FAILED; }

/// Sends `count` messages of equal length `segment` (the last may be shorter), which lie one behind the other at
/// `bytes`, in one call (UDP_SEGMENT). Returns what sendmsg returns; errno as it left it.
ssize_t cshims_send_segments(int socket, const void *_Nonnull bytes, size_t length, uint16_t segment);

/// Sends up to 64 messages that lie one behind the other at `bytes`, their lengths at `lengths`. Returns what
/// sendmmsg returns; errno as it left it.
int cshims_send_messages(int socket, const void *_Nonnull bytes, const uint16_t *_Nonnull lengths, int count);

/// Takes the oldest entry of the socket's error queue (IP_RECVERR, IPV6_RECVERR); its errno goes to `error`. Returns -1
/// where there is none; errno as recvmsg left it.
int cshims_take_error(int socket, int32_t *_Nonnull error);

/// Receives up to 64 datagrams without waiting, each into a slot of `slot` octets behind `bytes`; the lengths go to
/// `lengths`. Returns what recvmmsg returns; errno as it left it.
int cshims_receive_messages(int socket, void *_Nonnull bytes, size_t slot, uint32_t *_Nonnull lengths, int count);
