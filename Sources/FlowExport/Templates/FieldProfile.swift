// SPDX-License-Identifier: Apache-2.0

/// Which of the fields a Collector is sent, by the software that it is. Default ``generic``.
///
/// What each changes stands in `rules` and nowhere else. NetFlow v5 has one fixed record: there all are the same.
public enum FieldProfile: String, CaseIterable, Sendable {
  /// What every collector decodes.
  case generic
  /// The records of the kernel module, for collectors that are set up around those.
  case iptNetFlow = "ipt-netflow"
  /// Logstash's codec for NetFlow and IPFIX.
  case logstash
  /// nfdump's nfcapd.
  case nfdump
  /// goflow2.
  case goflow2
  /// IPFIX by the letter of the RFCs and IANA's registry. NetFlow v9 is another standard: it has no such profile.
  case rfc

  /// Whether there are messages of the protocol in this profile.
  public func suits(_ exportProtocol: ExportProtocol) -> Bool { self != .rfc || exportProtocol == .ipfix }

  var rules: FieldRules {
    var rules = FieldRules()
    switch self {
    case .generic: break
    case .iptNetFlow:
      // It has no translated addresses, no users and no depth of a label stack in flow records, and no counters in NAT
      // events. Lengths, direction, prefix lengths and the numbers of events stay: there the module contradicts the
      // standards.
      rules.omittedInNetFlow9 = [32, 202, 225, 226, 227, 228, 281, 282, 371]
      rules.omittedInIPFIX = [58, 202, 225, 226, 227, 228, 281, 282, 371]
      rules.omittedOfNATEvents = [231, 232, 298, 299]
      rules.omitsEnterpriseElements = true
    case .logstash:
      // Its codec drops the template of an element that it does not know, and the registry's are all it knows.
      rules.omitsEnterpriseElements = true
      rules.omittedInNetFlow9 = Set(70...79)
    case .nfdump, .goflow2:
      // Type and code of ICMP they take from 32, and not from the port. Beside that they read the generic fields, or pass
      // over them.
      rules.hasTypeOfICMPv6InNetFlow9 = true
    case .rfc:
      // 58: dot1qVlanId tells it. 15, 62: nobody who observes packets knows the next hop. Values 1 and 2 of natEvent are
      // historic.
      rules.omittedInIPFIX = [15, 58, 62]
      rules.natEventCodes = .rfc8158
      rules.optionsAreStrict = true
    }
    return rules
  }
}

/// What a profile changes of the generic fields; as it is made, nothing.
struct FieldRules: Hashable, Sendable {
  /// Elements of the registry that Flow Records go without.
  var omittedInNetFlow9: Set<UInt16> = []
  var omittedInIPFIX: Set<UInt16> = []
  /// Whether elements of enterprises are left out too.
  var omitsEnterpriseElements = false
  /// Elements that NAT events go without.
  var omittedOfNATEvents: Set<UInt16> = []
  /// Whether ICMPv6 in v9 has 32 beside the port that says the same, as ICMP has: ICMP_TYPE there is of both (RFC 3954
  /// section 8), and some collectors would take it for IPv4's alone.
  var hasTypeOfICMPv6InNetFlow9 = false
  /// The numbers of NAT events; nil: those of the configuration.
  var natEventCodes: NATEventCodes?
  /// Whether options records keep to the letter: none of deprecated elements (34, 35, 48 to 50); the scope is what the
  /// record describes, an interface or a selector (RFC 7011 section 3.4.2.1, RFC 5476 section 6.5.2); elements of
  /// enterprises are described (RFC 5610).
  var optionsAreStrict = false

  func allows<Record>(_ field: Field<Record>, inFlowsOf dialect: FieldDialect) -> Bool {
    guard field.enterprise == nil else { return !omitsEnterpriseElements }
    return !(dialect == .ipfix ? omittedInIPFIX : omittedInNetFlow9).contains(field.id)
  }
}
