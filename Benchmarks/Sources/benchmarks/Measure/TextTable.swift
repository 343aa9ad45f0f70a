// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// The cells of a row.
typealias Row = [String]

/// Rows of text under their columns' heads: the first column to the left, the others to the right.
struct TextTable {
  private var rows: [Row]

  init(_ columns: Row) { rows = [columns] }

  mutating func append(_ row: Row) { rows.append(row) }

  func print() {
    var widths: [Int] = []
    for row in rows {
      for (column, cell) in row.enumerated() {
        if column == widths.count { widths.append(0) }
        widths[column] = max(widths[column], cell.count)
      }
    }
    for row in rows {
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        line += column == 0 ? cell + padding : "   " + padding + cell
      }
      say(line)
    }
    say("")
  }
}

/// Writes a line at once, so that a long run can be followed through a pipe.
func say(_ line: String) {
  print(line)
  fflush(nil)
}

/// A number with so many digits behind the point.
func decimal(_ value: Double, _ digits: Int) -> String {
  guard value.isFinite, abs(value) < 1e12 else { return "-" }
  var scale = 1
  for _ in 0..<digits { scale *= 10 }
  let scaled = Int((abs(value) * Double(scale)).rounded())
  let sign = value < 0 && scaled != 0 ? "-" : ""
  guard digits > 0 else { return sign + String(scaled) }
  let fraction = String(scaled % scale)
  return sign + String(scaled / scale) + "." + String(repeating: "0", count: digits - fraction.count) + fraction
}

/// A whole number with its thousands apart.
func grouped(_ value: some BinaryInteger) -> String {
  var digits = Array(String(value))
  var place = digits.count - 3
  while place > 0 {
    digits.insert(" ", at: place)
    place -= 3
  }
  return String(digits)
}
