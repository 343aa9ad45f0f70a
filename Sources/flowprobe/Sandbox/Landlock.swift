// SPDX-License-Identifier: Apache-2.0
//
// Unsafe: structures of ours, handed to the calls of landlock(7).

internal import CShims
internal import FlowMeter
internal import Glibc

/// The files and ports that the program is confined to, by rights that it gives itself (landlock(7)).
///
/// It holds for the calling thread and those that it starts: it begins before there are others.
struct Landlock {
  /// Rights on files, as <linux/landlock.h> numbers them; each kernel knows the first of them.
  struct Rights: OptionSet {
    let rawValue: UInt64

    static let execute = Rights(rawValue: 1 << 0)
    static let writeFile = Rights(rawValue: 1 << 1)
    static let readFile = Rights(rawValue: 1 << 2)
    static let readDirectory = Rights(rawValue: 1 << 3)
    static let removeDirectory = Rights(rawValue: 1 << 4)
    static let removeFile = Rights(rawValue: 1 << 5)
    static let makeDirectory = Rights(rawValue: 1 << 7)
    static let makeRegular = Rights(rawValue: 1 << 8)
    static let makeSocket = Rights(rawValue: 1 << 9)
    /// To link and rename from one directory to another; since 2.
    static let refer = Rights(rawValue: 1 << 13)
    /// Since 3.
    static let truncate = Rights(rawValue: 1 << 14)

    static let read: Rights = [.readFile, .readDirectory]
    static let write: Rights = [
      .read, .writeFile, .removeDirectory, .removeFile, .makeDirectory, .makeRegular, .refer, .truncate,
    ]
    static let names: Rights = [.removeFile, .makeSocket]

    /// All that a version knows.
    static func known(to version: Int) -> Rights {
      // Devices' ioctls are the last ones, since 5.
      let count = [13, 13, 14, 15, 15][min(version, 4)] + (version >= 5 ? 1 : 0)
      return Rights(rawValue: 1 << UInt64(count) - 1)
    }
  }

  /// A file or a directory with all below it, and what may be done there.
  struct Place: Hashable {
    var path: String
    var rights: UInt64
  }

  /// The kernel's version of it (ABI); 1 or more.
  let version: Int
  /// What is forbidden where no place allows it.
  let handled: Rights
  let places: [Place]
  /// Where a server may listen by TCP.
  let port: UInt16?

  /// - Parameters:
  ///   - version: what the kernel knows.
  ///   - port: where the program listens.
  init(_ access: FileAccess, port: UInt16?, version: Int) {
    let handled = Rights.known(to: version)
    func place(_ rights: Rights) -> (String) -> Place {
      { Place(path: $0, rights: rights.intersection(handled).rawValue) }
    }
    places =
      access.written.map(place(.write)) + access.namesIn.map(place(.names)) + access.read.map(place(.read))
      + access.files.map(place(.readFile)) + [place([.readFile, .writeFile])("/dev/null")]
    (self.version, self.handled, self.port) = (version, handled, port)
  }

  /// What the running kernel knows; 0: it has none, or somebody has turned it off.
  static var kernelVersion: Int {
    // LANDLOCK_CREATE_RULESET_VERSION
    max(0, Int(cshims_landlock_create_ruleset(nil, 0, 1)))
  }

  /// Begins to hold; for good. Places that are not there are left out.
  func begin() throws(SystemError) {
    // To connect by TCP is not restricted: a changed configuration may have collectors at any port. Nor are abstract
    // sockets: the service manager's may be one.
    var attributes = cshims_landlock_ruleset()
    attributes.handled_access_fs = handled.rawValue
    if version >= 4 { attributes.handled_access_net = Self.bind }
    if version >= 6 { attributes.scoped = Self.signals }
    // A kernel that knows less of the structure takes it all the same where the rest is zeros.
    let size = MemoryLayout<cshims_landlock_ruleset>.size
    let ruleset = unsafe cshims_landlock_create_ruleset(&attributes, size, 0)
    guard ruleset >= 0 else { throw .last }
    defer { close(ruleset) }
    for place in places { try add(place, to: ruleset) }
    // 0 is any that nobody has: of who connects from an address of its own.
    for port in [0, port].compactMap(\.self) where version >= 4 {
      var rule = cshims_landlock_port(allowed_access: Self.bind, port: UInt64(port))
      guard unsafe cshims_landlock_add_rule(ruleset, Self.ports, &rule) == 0 else { throw .last }
    }
    guard cshims_landlock_restrict_self(ruleset) == 0 else { throw .last }
  }

  private func add(_ place: Place, to ruleset: Int32) throws(SystemError) {
    let descriptor = unsafe cshims_open_place(place.path)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw .last }
    let ofFiles: Rights = [.readFile, .writeFile, .truncate]
    let rights = status.st_mode & S_IFMT == S_IFDIR ? place.rights : place.rights & ofFiles.rawValue
    // What has no name, as a pipe, is not restricted.
    var rule = landlock_path_beneath_attr(allowed_access: rights, parent_fd: descriptor)
    guard unsafe cshims_landlock_add_rule(ruleset, Int32(LANDLOCK_RULE_PATH_BENEATH.rawValue), &rule) == 0 else {
      guard errno == EBADFD else { throw .last }
      return
    }
  }

  /// LANDLOCK_ACCESS_NET_BIND_TCP, LANDLOCK_RULE_NET_PORT and LANDLOCK_SCOPE_SIGNAL, which Debian 12's headers lack.
  private static let bind: UInt64 = 1 << 0
  private static let ports: Int32 = 2
  private static let signals: UInt64 = 1 << 1
}
