// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: libFuzzer gives a pointer and a length.

/// The entry that libFuzzer calls with each input: a capture file, and behind it one octet of settings.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCapture(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
  guard size > 0 else { return 0 }
  unsafe MemoryFile.shared.write(UnsafeRawBufferPointer(start: data, count: size - 1))
  CaptureRun(settings: unsafe data[size - 1]).run(MemoryFile.shared.path)
  return 0
}
