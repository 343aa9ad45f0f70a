// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "CSystem.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int csystem_leave_network(void) { return unshare(CLONE_NEWNET); }

int csystem_enter_network(int descriptor) { return setns(descriptor, CLONE_NEWNET); }

int csystem_set_processors(uint64_t processors) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int processor = 0; processor < 64; processor++)
    if (processors >> processor & 1) CPU_SET(processor, &set);
  return sched_setaffinity(0, sizeof set, &set);
}

uint64_t csystem_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  uint64_t processors = 0;
  for (int processor = 0; processor < 64; processor++)
    if (CPU_ISSET(processor, &set)) processors |= (uint64_t)1 << processor;
  return processors;
}

int csystem_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int64_t csystem_process_nanoseconds(pid_t process) {
  clockid_t clock;
  struct timespec time;
  if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &time) != 0) return -1;
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

int csystem_open_packet_socket(const char *interface, int send_buffer) {
  int sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (sender < 0) return -1;
  int on = 1;
  setsockopt(sender, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  setsockopt(sender, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer);
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
  if (address.sll_ifindex && bind(sender, (struct sockaddr *)&address, sizeof address) == 0) return sender;
  close(sender);
  return -1;
}

int csystem_send_frames(int socket, const struct iovec *frames, unsigned count) {
  struct mmsghdr headers[32];
  if (count > 32) count = 32;
  memset(headers, 0, count * sizeof *headers);
  for (unsigned place = 0; place < count; place++) {
    headers[place].msg_hdr.msg_iov = (struct iovec *)&frames[place];
    headers[place].msg_hdr.msg_iovlen = 1;
  }
  return sendmmsg(socket, headers, count, 0);
}

int csystem_receive_messages(int socket, void *slots, size_t room, uint32_t *lengths, unsigned count) {
  struct mmsghdr headers[64];
  struct iovec pieces[64];
  if (count > 64) count = 64;
  memset(headers, 0, count * sizeof *headers);
  for (unsigned place = 0; place < count; place++) {
    pieces[place] = (struct iovec){(char *)slots + place * room, room};
    headers[place].msg_hdr.msg_iov = &pieces[place];
    headers[place].msg_hdr.msg_iovlen = 1;
  }
  int received = recvmmsg(socket, headers, count, MSG_DONTWAIT, NULL);
  for (int place = 0; place < received; place++) lengths[place] = headers[place].msg_len;
  return received;
}
