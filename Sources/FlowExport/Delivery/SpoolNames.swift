// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: readdir(3) on a stream that is closed here; names are copied at once.

internal import FlowMeter
internal import Glibc

/// What there is in a spool's directory.
struct SpoolNames {
  /// In their order.
  private(set) var segments: [String] = []
  /// Of files that were to take a segment's place.
  private(set) var temporary: [String] = []
  /// How many others look as if they were segments'.
  private(set) var others = 0

  init(in directory: Int32) throws(SystemError) {
    // A descriptor of its own: who reads a directory moves its place in it.
    let copy = unsafe openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard copy >= 0 else { throw .last }
    guard let stream = unsafe fdopendir(copy) else {
      let error = SystemError.last
      close(copy)
      throw error
    }
    defer { unsafe closedir(stream) }
    while true {
      // Only by it the end and an error are two things.
      errno = 0
      guard let entry = unsafe readdir(stream) else {
        guard errno == 0 else { throw .last }
        break
      }
      let name = unsafe withUnsafePointer(to: entry.pointee.d_name) {
        unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
      }
      add(name)
    }
    segments.sort()
  }

  private mutating func add(_ name: String) {
    if name.first == "." {
      if SpoolSegment.run(ofName: String(name.dropFirst())) != nil { temporary.append(name) }
    } else if SpoolSegment.run(ofName: name) != nil {
      segments.append(name)
    } else if name.hasSuffix(SpoolSegment.suffix) {
      others += 1
    }
  }
}
