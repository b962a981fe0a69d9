//! Rows of text in columns.

/// Columns, each as wide as its widest cell.
pub(super) fn aligned<const N: usize>(
    heads: [String; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let lines: Vec<_> = std::iter::once(heads).chain(rows).collect();
    let mut widths = [0; N];
    for line in &lines {
        widths.iter_mut().zip(line).for_each(|(width, cell)| *width = (*width).max(cell.len()));
    }
    let shown = lines.iter().map(|line| {
        let cells = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  "));
        format!("{}\n", cells.collect::<String>().trim_end())
    });
    shown.collect()
}
