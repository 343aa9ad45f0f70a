// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: realpath(3) of names of ours.

internal import FlowExport
internal import Glibc

/// The files that the program reaches once it runs: all that Landlock lets it.
///
/// Who adds something that writes or reads files adds its place here, in `init(_:_:)`: of what is not named the kernel says
/// that the permission is denied. Files are replaced by renaming, so that places are directories.
struct FileAccess: Hashable {
  /// With all that is below: files and directories are read, made, written, renamed and removed.
  var written: [String] = []
  /// Those of them that are made where they are not there, for all to read.
  var made: [String] = []
  /// Names in them are made for sockets, and removed; nothing is written.
  var namesIn: [String] = []
  /// With all that is below.
  var read: [String] = []
  /// Files that are read, as they are now.
  var files: [String] = []
}

extension FileAccess {
  /// - Parameters:
  ///   - configuration: its paths are as they are before there is another root directory.
  ///   - configurationFiles: what is read again.
  init(_ configuration: ProbeConfiguration, configurationFiles: [String]) {
    let root = configuration.service.chroot ?? ""
    // What it is told to do, and by whom, it does not write.
    let orders = Set(
      (configurationFiles
        + configuration.destinations.flatMap(\.destinations).map(\.configuration.tls).flatMap {
          [$0.authorities, $0.certificate, $0.key].compactMap(\.self)
        }).map(Self.parent))
    func place(of directory: String) -> String { Self.place(of: directory, besides: orders) }
    if let directory = configuration.statisticsDirectory {
      // Its own directory in /run is cleared with all that is in it.
      let own = RuntimeDirectory.ofProcess ?? ""
      let isOwn = root.isEmpty && Self.parent(of: directory) == own
      made.append(isOwn ? own : Self.joined(root, directory))
      written.append(isOwn ? own : Self.joined(root, place(of: directory)))
    }
    for destination in configuration.destinations.flatMap(\.destinations) {
      if case .file(let pattern) = destination.target {
        written.append(Self.joined(root, place(of: pattern.directory)))
      }
      // Open before the root directory is another one, and so are certificates.
      if let spool = destination.configuration.delivery.spool { written.append(place(of: spool)) }
      let tls = destination.configuration.tls
      read += [tls.authorities, tls.certificate, tls.key].compactMap { $0.map(Self.parent) }
    }
    if let control = configuration.control { namesIn.append(Self.parent(of: control.path)) }
    if let file = configuration.service.pidfile { namesIn.append(Self.parent(of: file)) }
    for file in configurationFiles { read.append(Self.joined(root, Self.parent(of: file))) }
    if case .file(let path) = configuration.source, path != "-" { files.append(path) }
    files += Self.systemFiles
    read += Self.systemDirectories
    if !root.isEmpty { read += Self.systemDirectories.map { Self.joined(root, $0) } }
    if let resolver = Self.target(of: "/etc/resolv.conf").map(Self.parent), !read.contains(resolver) {
      read.append(resolver)
    }
  }

  /// The resolver's settings and certificates, libraries that the resolver loads, what the kernel tells of interfaces,
  /// limits and translations, and where name services of the machine are asked.
  private static let systemDirectories = [
    "/etc", "/usr", "/lib", "/lib64", "/nix/store", "/gnu/store", "/proc", "/sys", "/run/systemd", "/run/resolvconf",
    "/run/nscd", "/run/avahi-daemon",
  ]

  private static let systemFiles = ["/proc/self/exe", "/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"]

  /// What is written for a directory: that which it is in too, so that it can be removed and made anew; but not where
  /// others' directories are, nor configuration files or certificates.
  static func place(of directory: String, besides orders: Set<String> = []) -> String {
    let parent = parent(of: directory)
    return parent == "." || sharedDirectories.contains(parent) || orders.contains(parent) ? directory : parent
  }

  private static let sharedDirectories: Set = [
    "/", "/etc", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/usr/local", "/var",
    "/var/cache", "/var/lib", "/var/local", "/var/log", "/var/opt", "/var/run", "/var/spool", "/var/tmp", "/dev/shm",
  ]

  /// The directory that a file is in.
  static func parent(of file: String) -> String {
    guard let slash = file.lastIndex(of: "/") else { return "." }
    return slash == file.startIndex ? "/" : String(file[..<slash])
  }

  /// A path as it is outside of a root directory.
  private static func joined(_ root: String, _ path: String) -> String {
    root.isEmpty ? path : path.hasPrefix("/") ? root + path : "\(root)/\(path)"
  }

  /// The file behind links; nil where there is none.
  private static func target(of path: String) -> String? {
    guard let found = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(found) }
    return unsafe String(cString: found)
  }
}
