// SPDX-License-Identifier: Apache-2.0
//
// IPFIX over UDP (RFC 7011): one template for each version of IP, messages of one set, sent by 64 at a time.

#pragma once

#include "table.h"

/// Opens the way to "address:port", or to nowhere where that is NULL; ends the program where it cannot.
void export_open(const char *collector);

/// Flows' milliseconds count from this second; and what time it is for the messages' headers.
void export_set_start(uint64_t second);
void export_set_time(uint32_t milliseconds);

void export_flow(const struct flow *flow, enum end_reason reason);

/// Sends what waits.
void export_flush(void);

struct export_totals {
  uint64_t flows;
  uint64_t packets;
  uint64_t octets;
  uint64_t messages;
  uint64_t failed_messages;
};
struct export_totals export_totals(void);
