// SPDX-License-Identifier: Apache-2.0
//
// Counts what a thread allocates: malloc and its siblings stand in the program itself, in front of the C library's.

#pragma once

#include <stdint.h>

/// Allocations of the calling thread since it began, and the bytes it asked for. Nothing is taken off when memory is
/// freed.
struct callocations_count {
  uint64_t calls;
  uint64_t bytes;
};

struct callocations_count callocations_of_thread(void);

/// Gives freed memory back to the kernel, so that it does not count as resident.
void callocations_give_back(void);
