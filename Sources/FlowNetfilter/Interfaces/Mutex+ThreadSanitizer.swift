// SPDX-License-Identifier: Apache-2.0

#if THREAD_SANITIZER
  internal import FlowMeter

  /// FlowMeter's, which ThreadSanitizer knows, before Synchronization's.
  typealias Mutex<Value: ~Copyable> = FlowMeter.Mutex<Value>
#endif
