// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: libFuzzer gives a pointer and a length.

/// The entry that libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSettings(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  unsafe SettingsRun(UnsafeRawBufferPointer(start: data, count: size)).run()
  return 0
}
