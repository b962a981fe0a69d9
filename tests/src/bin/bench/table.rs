//! The table, printed row by row as it comes to be.

/// A table of which the head is printed.
pub struct Table(());

impl Table {
    /// Prints the head.
    pub fn begin() -> Self {
        println!("| | knockd 0.8 | knock-spad | ratio |\n|---|---|---|---|");
        Self(())
    }

    /// Prints a row.
    pub fn row(&mut self, what: &str, knockd: &str, ours: &str, ratio: &str) {
        println!("| {what} | {knockd} | {ours} | {ratio} |");
    }
}
