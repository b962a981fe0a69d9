//! How many cases a property is tried with.

use proptest::test_runner::Config;

/// What proptest tries where nobody asks for another number.
const USUAL: u32 = 256;

/// So many cases, for a property whose cases take long; or as many as `PROPTEST_CASES` asks for, where that is more
/// than usual. `tests/all --long` asks for 100 000.
pub(crate) fn cases(few: u32) -> Config {
    let asked = Config::default().cases;
    Config::with_cases(if asked > USUAL { asked } else { few })
}
