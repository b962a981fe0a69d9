//! A configuration: text, what it includes, and its one-time sequences, with a zero byte between them. Each fault has a
//! line, and what is imported from the included file means the same.

#![no_main]

use std::io;
use std::path::Path;

use knock_spad::config::named_files::NamedFiles;
use knock_spad::config::{Config, import, read_knockd_with};
use libfuzzer_sys::fuzz_target;

/// The files that a configuration may name, whatever it calls them.
struct Files<'input> {
    knockd: &'input [u8],
    one_time: &'input [u8],
}

impl NamedFiles for Files<'_> {
    fn knockd(&mut self, _: &Path) -> io::Result<(Vec<u8>, u32)> {
        Ok((self.knockd.to_vec(), 0o600))
    }

    fn one_time(&mut self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.one_time.to_vec())
    }
}

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(3, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let (text, mut files) = (part(), Files { knockd: part(), one_time: part() });
    if let Ok(text) = str::from_utf8(text) {
        parse(text, &mut files);
        parse(&format!("knockd.include = '/x'\n{text}"), &mut files);
    }
    imported(&mut files);
});

fn parse(text: &str, files: &mut Files<'_>) {
    match Config::parse_with(Path::new("f"), text, 0o600, files) {
        Ok(config) => assert!(config.settings.listen.spa_port.is_some()),
        Err(faults) => assert!(faults.iter().all(|fault| fault.line.is_some())),
    }
}

fn imported(files: &mut Files<'_>) {
    let Ok(old) = read_knockd_with(files, Path::new("/x")) else {
        return;
    };
    let text = import::native(files, Path::new("/x")).unwrap();
    let new = Config::parse_with(Path::new("f"), &text, 0o600, files).unwrap().settings;
    // A door that nothing ever opens is left out.
    let old = old.doors.iter().filter(|door| door.door.knock.is_some() || door.one_time.is_some());
    let old: Vec<_> = old.map(|door| (&door.door.knock, &door.door.commands)).collect();
    let new: Vec<_> = new.knockd_doors.iter().map(|door| (&door.knock, &door.commands)).collect();
    assert!(old == new || old.len() > new.len(), "{text}");
}
