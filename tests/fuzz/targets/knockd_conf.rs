//! A file in knockd's dialect, which is also its own file of one-time sequences: reading it is total, what is refused
//! comes with words of knockd's, and a comment at the end says nothing.

#![no_main]

use std::io;
use std::path::Path;

use knock_spad::config::knockd::{KnockdFaults, KnockdFile, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let commented = [input, b"\n# comment"].concat();
    match (parse(input, input), parse(&commented, input)) {
        (Ok(file), Ok(same)) => {
            assert_eq!((file.options, file.doors), (same.options, same.doors));
            assert!(file.warnings.iter().all(|warning| !warning.what.is_empty()));
        }
        (Err(faults), Err(same)) => {
            assert_eq!(faults.knockd_says, same.knockd_says);
            assert!(!faults.knockd_says.is_empty());
            assert!(faults.faults.iter().all(|fault| fault.line.is_some()));
        }
        (one, other) => panic!("{one:?}\n{other:?}"),
    }
});

fn parse(bytes: &[u8], one_time: &[u8]) -> Result<KnockdFile, KnockdFaults> {
    let mut open = |path: &Path| match path.as_os_str().len() {
        1 => Ok(one_time.to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    read(Path::new("f"), bytes, 0o644, &mut open)
}
