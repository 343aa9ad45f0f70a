// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CShims.h"

#include <fcntl.h>
#include <linux/errqueue.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

void cshims_set_thread_name(const char *name) { pthread_setname_np(pthread_self(), name); }

int cshims_current_processor(void) { return sched_getcpu(); }
int cshims_processor_count(void) {
  cpu_set_t processors;
  return sched_getaffinity(getpid(), sizeof processors, &processors) == 0 ? CPU_COUNT(&processors) : 0;
}
int cshims_set_processor(pthread_attr_t *attributes, int processor) {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(processor, &processors);
  return pthread_attr_setaffinity_np(attributes, sizeof processors, &processors);
}

int cshims_accept(int socket) { return accept4(socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }
int cshims_peer(int socket, uint32_t *user, uint32_t *group) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -1;
  *user = peer.uid;
  *group = peer.gid;
  return 0;
}
int cshims_process_control(int option, unsigned long argument) { return prctl(option, argument, 0UL, 0UL, 0UL); }
int cshims_get_capabilities(struct __user_cap_data_struct *sets) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  return (int)syscall(SYS_capget, &header, sets);
}
int cshims_set_capabilities(const struct __user_cap_data_struct *sets) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  return (int)syscall(SYS_capset, &header, sets);
}

int cshims_rename_no_replace(int directory, const char *from, const char *to) {
  return renameat2(directory, from, directory, to, RENAME_NOREPLACE);
}
int cshims_seccomp(unsigned operation, unsigned flags, void *argument) {
  return (int)syscall(SYS_seccomp, operation, flags, argument);
}
int cshims_open_place(const char *path) { return open(path, O_PATH | O_CLOEXEC); }
int cshims_landlock_create_ruleset(const struct cshims_landlock_ruleset *attributes, size_t size, unsigned flags) {
  return (int)syscall(SYS_landlock_create_ruleset, attributes, size, flags);
}
int cshims_landlock_add_rule(int ruleset, int type, const void *rule) {
  return (int)syscall(SYS_landlock_add_rule, ruleset, type, rule, 0U);
}
int cshims_landlock_restrict_self(int ruleset) { return (int)syscall(SYS_landlock_restrict_self, ruleset, 0U); }

ssize_t cshims_send_segments(int socket, const void *bytes, size_t length, uint16_t segment) {
  struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};
  union {
    char bytes[CMSG_SPACE(sizeof(uint16_t))];
    struct cmsghdr align;
  } control;
  memset(&control, 0, sizeof control);
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.bytes};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  memcpy(CMSG_DATA(header), &segment, sizeof segment);
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int cshims_send_messages(int socket, const void *bytes, const uint16_t *lengths, int count) {
  struct mmsghdr messages[64];
  struct iovec vectors[64];
  if (count > 64) count = 64;
  memset(messages, 0, sizeof messages[0] * (size_t)count);
  const char *next = bytes;
  for (int i = 0; i < count; i++) {
    vectors[i].iov_base = (void *)next;
    vectors[i].iov_len = lengths[i];
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    next += lengths[i];
  }
  return sendmmsg(socket, messages, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int cshims_take_error(int socket, int32_t *error) {
  union {
    char bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6))];
    struct cmsghdr align;
  } control;
  struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control.bytes};
  if (recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return -1;
  *error = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_type != (header->cmsg_level == IPPROTO_IP ? IP_RECVERR : IPV6_RECVERR)) continue;
    struct sock_extended_err entry;
    memcpy(&entry, CMSG_DATA(header), sizeof entry);
    *error = (int32_t)entry.ee_errno;
  }
  return 0;
}

int cshims_receive_messages(int socket, void *bytes, size_t slot, uint32_t *lengths, int count) {
  struct mmsghdr messages[64];
  struct iovec vectors[64];
  if (count > 64) count = 64;
  memset(messages, 0, sizeof messages[0] * (size_t)count);
  for (int i = 0; i < count; i++) {
    vectors[i].iov_base = (char *)bytes + slot * (size_t)i;
    vectors[i].iov_len = slot;
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int received = recvmmsg(socket, messages, (unsigned)count, MSG_DONTWAIT, NULL);
  for (int i = 0; i < received; i++) lengths[i] = messages[i].msg_len;
  return received;
}
