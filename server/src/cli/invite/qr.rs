//! A line as a QR code, drawn with characters.

use qrcodegen::{DataTooLong, QrCode, QrCodeEcc};

/// The margin that readers need, in modules.
const MARGIN: i32 = 4;

/// The lines of the drawing, two rows of modules each. Light modules are full: on a dark ground, as terminals have it
/// and [`terminal::draw`](crate::cli::terminal::draw) makes it, they shine.
///
/// # Errors
/// [`DataTooLong`] for what no QR code can hold; an invitation with the longest of names and endpoints fits.
pub(super) fn drawn(text: &str) -> Result<Vec<String>, DataTooLong> {
    let code = QrCode::encode_text(text, QrCodeEcc::Low)?;
    let span = || MARGIN.saturating_neg()..code.size().saturating_add(MARGIN);
    // What is outside the code counts as light.
    let is_light = |x: i32, y: i32| !code.get_module(x, y);
    let pair = |x: i32, y: i32| match (is_light(x, y), is_light(x, y.saturating_add(1))) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    Ok(span().step_by(2).map(|y| span().map(|x| pair(x, y)).collect()).collect())
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a product that overflows fails its test, as it should")]
mod tests {
    use super::*;

    /// How many pixels a module is wide and high.
    const SCALE: usize = 4;

    /// What a reader makes of the drawing.
    fn read(drawing: &[String]) -> String {
        let rows: Vec<Vec<bool>> = drawing
            .iter()
            .flat_map(|line| {
                let row = |full: &str| line.chars().map(|drawn| full.contains(drawn)).collect();
                [row("█▀"), row("█▄")]
            })
            .collect();
        let (width, height) = (rows[0].len() * SCALE, rows.len() * SCALE);
        let shade = |x: usize, y: usize| if rows[y / SCALE][x / SCALE] { 255 } else { 0 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
        let [code] = &image.detect_grids()[..] else { panic!("not one code") };
        code.decode().unwrap().1
    }

    #[test]
    fn a_reader_reads_the_line() {
        let keys = "A".repeat(91);
        let host = format!("{}.example.net:62201", "h".repeat(60));
        let short = format!("knock-spa-invite-v1 {keys} laptop gw.example.net:62201 ssh");
        let long = format!("knock-spa-invite-v1 {keys} {} {} ssh", "n".repeat(64), vec![host; 8].join(","));
        for line in [short, long] {
            assert_eq!(read(&drawn(&line).unwrap()), line);
        }
        assert!(drawn(&"x".repeat(3_000)).is_err());
    }

    #[test]
    fn it_fits_on_a_terminal() {
        let line = format!("knock-spa-invite-v1 {} laptop gw.example.net:62201 ssh", "A".repeat(91));
        let drawing = drawn(&line).unwrap();
        assert!(drawing.len() <= 30 && drawing.iter().all(|line| line.chars().count() <= 60));
    }
}
