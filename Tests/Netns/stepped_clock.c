// SPDX-License-Identifier: Apache-2.0
//
// To be preloaded: the wall clock as somebody has set it, for one program. The file that STEPPED_CLOCK names holds by how
// many seconds, in 20 digits with their sign; it may change at any time. What the kernel stamps is changed where libpcap
// hands it over. Clocks that nobody can set stay as they are.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long offset(void) {
  static int file = -1;
  char text[21] = "";
  if (file < 0) file = open(getenv("STEPPED_CLOCK"), O_RDONLY | O_CLOEXEC);
  return pread(file, text, 20, 0) == 20 ? atol(text) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = (int)syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += offset();
  return result;
}

struct delivery {
  pcap_handler handler;
  u_char *user;
  long offset;
};

static void deliver(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes) {
  const struct delivery *delivery = (const struct delivery *)user;
  struct pcap_pkthdr stepped = *header;
  stepped.ts.tv_sec += delivery->offset;
  delivery->handler(delivery->user, &stepped, bytes);
}

int pcap_dispatch(pcap_t *pcap, int count, pcap_handler handler, u_char *user) {
  static int (*next)(pcap_t *, int, pcap_handler, u_char *);
  if (!next) next = dlsym(RTLD_NEXT, "pcap_dispatch");
  struct delivery delivery = {handler, user, offset()};
  return next(pcap, count, deliver, (u_char *)&delivery);
}
