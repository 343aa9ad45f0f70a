// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "export.h"

static const size_t huge_page = 2 << 20;
static const uint32_t most_flows = 1 << 25;

/// Zeroed memory on huge pages, where the kernel has them; it becomes resident as it is touched.
static void *reserve(size_t bytes) {
  char *memory =
      mmap(NULL, bytes + huge_page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    perror("cannot reserve memory");
    exit(1);
  }
  memory = (char *)(((uintptr_t)memory + huge_page - 1) & ~(uintptr_t)(huge_page - 1));
  madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

void table_init(struct flow_table *table, uint32_t idle_seconds, uint32_t active_seconds) {
  table->mask = (1 << 13) - 1;
  table->index = reserve((table->mask + 1) * sizeof *table->index);
  table->used = 0;
  table->flows = reserve(most_flows * sizeof *table->flows);
  table->end = 1;
  table->free = 0;
  table->idle_milliseconds = idle_seconds * 1000;
  table->active_milliseconds = active_seconds * 1000;
}

uint32_t table_new_place(struct flow_table *table) {
  if (table->end + 1 >= most_flows) {
    fprintf(stderr, "there is room for no more than %u flows\n", most_flows);
    exit(1);
  }
  return table->end++;
}

void table_grow(struct flow_table *table) {
  uint64_t mask = table->mask * 2 + 1;
  uint64_t *index = reserve((mask + 1) * sizeof *index);
  for (uint64_t old = 0; old <= table->mask; old++) {
    uint64_t entry = table->index[old];
    if (!entry) continue;
    uint64_t slot = entry >> 32 & mask;
    while (index[slot]) slot = (slot + 1) & mask;
    index[slot] = entry;
  }
  munmap(table->index, (table->mask + 1) * sizeof *index);
  table->index = index;
  table->mask = mask;
}

/// Takes an entry out of the index, and moves up those behind it that belong further ahead (Knuth, volume 3, 6.4,
/// algorithm R).
static void remove_entry(struct flow_table *table, uint32_t place) {
  uint64_t mask = table->mask;
  uint64_t *index = table->index;
  uint64_t hole = (uint32_t)hash_key(&table->flows[place].key) & mask;
  while ((uint32_t)index[hole] != place) hole = (hole + 1) & mask;
  for (uint64_t slot = (hole + 1) & mask; index[slot]; slot = (slot + 1) & mask) {
    uint64_t home = index[slot] >> 32 & mask;
    if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
    index[hole] = index[slot];
    hole = slot;
  }
  index[hole] = 0;
  table->used--;
}

void table_sweep(struct flow_table *table, uint32_t now, bool everything) {
  for (uint32_t place = 1; place < table->end; place++) {
    struct flow *flow = &table->flows[place];
    if (!flow->packets) continue;
    if (everything) {
      export_flow(flow, end_forced);
      continue;
    }
    enum end_reason reason;
    if (now - flow->last >= table->idle_milliseconds) reason = end_idle;
    else if (now - flow->first >= table->active_milliseconds) reason = end_active;
    else continue;
    export_flow(flow, reason);
    remove_entry(table, place);
    flow->packets = 0;
    flow->key.words[0] = table->free;
    table->free = place;
  }
}
