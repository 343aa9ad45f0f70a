// SPDX-License-Identifier: Apache-2.0

/// A row of a screen: texts, some of which stand out.
struct StyledRow: Hashable {
  enum Style: Hashable { case plain, heading, alert }

  struct Span: Hashable {
    var text: String
    var style = Style.plain
  }

  var spans: [Span] = []

  init(_ spans: [Span] = []) { self.spans = spans }
  init(_ text: String, _ style: Style = .plain) { spans = [Span(text: text, style: style)] }

  /// Without styles and without spaces at the end; for a terminal too.
  var plain: String {
    var text = spans.map(\.text).joined().withoutControls
    while text.last == " " { text.removeLast() }
    return text
  }

  /// As a terminal shows it, cut to a width.
  func escaped(width: Int) -> String {
    var (text, room) = ("", width)
    for span in spans where room > 0 {
      // Names come from outside: what a terminal would take as an order is not shown.
      let part = String(span.text.prefix(room).map { $0.unicodeScalars.contains(where: \.isControl) ? "?" : $0 })
      room -= part.count
      switch span.style {
      case .plain: text += part
      case .heading: text += "\u{1b}[1m\(part)\u{1b}[0m"
      case .alert: text += "\u{1b}[1;31m\(part)\u{1b}[0m"
      }
    }
    return text
  }
}

/// Rows whose columns stand one below the other.
struct StyledTable {
  private var rows: [[StyledRow.Span]]
  /// Of each column; numbers stand to the right.
  private let isRightAligned: [Bool]

  init(_ heading: [String], isRightAligned: [Bool]) {
    self.isRightAligned = isRightAligned
    rows = [heading.map { StyledRow.Span(text: $0, style: .heading) }]
  }

  mutating func add(_ cells: [StyledRow.Span]) { rows.append(cells) }

  /// - Parameter widths: columns are no narrower.
  func laidOut(atLeast widths: [Int] = []) -> [StyledRow] {
    var widths = isRightAligned.indices.map { $0 < widths.count ? widths[$0] : 0 }
    for row in rows { for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.text.count) } }
    return rows.map { row in
      StyledRow(
        row.enumerated().map { column, cell in
          let text = cell.text.padded(to: isRightAligned[column] ? widths[column] : -widths[column])
          return StyledRow.Span(text: column < row.count - 1 ? text + "  " : text, style: cell.style)
        })
    }
  }
}

extension Double {
  /// A figure in three or four digits: `9999`, `12.3k`, `202k`, `1.5M`.
  var scaled: String {
    guard self >= 10_000 else { return "\(Int(saturating: self))" }
    var (value, units) = (self / 1000, "kMGTPE"[...])
    while value >= 999.5, units.count > 1 {
      value /= 1000
      units = units.dropFirst()
    }
    let unit = units.first.map(String.init) ?? ""
    if value >= 99.95 { return "\(Int(saturating: value.rounded()))\(unit)" }
    let tenths = Int(saturating: (value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)\(unit)"
  }
}
